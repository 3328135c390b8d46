//! Caps: the most that a user lets any step of any pipeline use.
//!
//! A pipeline sets limits for its steps, and whoever runs it may have others in mind. A cap is the user's: the
//! sandbox lowers the limits of every guest to it, and a plan refuses a step that asks for more by name. As
//! limits, caps are no part of a key.

use std::collections::BTreeMap;

use crate::error::amount;
use crate::unit::Limits;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// [`Limits::fuel`].
    Fuel,
    /// [`Limits::log_bytes`].
    Log,
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::output_bytes`].
    Output,
    /// [`Limits::scratch_bytes`].
    Scratch,
    /// [`Limits::time_ms`].
    Time,
}

impl Limit {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 6] = [
        Self::Fuel,
        Self::Log,
        Self::Memory,
        Self::Output,
        Self::Scratch,
        Self::Time,
    ];

    /// What files and messages call it: `memory`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fuel => "fuel",
            Self::Log => "log",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Scratch => "scratch",
            Self::Time => "time",
        }
    }

    /// An amount of it, in its own unit, as a person reads it: `2 GiB`, `10 min`, `1_000_000 fuel`.
    pub fn shown(self, number: u64) -> String {
        match self {
            Self::Fuel => format!("{} fuel", amount::count(number)),
            Self::Time => amount::time(number),
            Self::Log | Self::Memory | Self::Output | Self::Scratch => amount::size(number),
        }
    }

    fn of(self, limits: &mut Limits) -> &mut u64 {
        match self {
            Self::Fuel => &mut limits.fuel,
            Self::Log => &mut limits.log_bytes,
            Self::Memory => &mut limits.memory_bytes,
            Self::Output => &mut limits.output_bytes,
            Self::Scratch => &mut limits.scratch_bytes,
            Self::Time => &mut limits.time_ms,
        }
    }
}

/// The most of one limit, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// In the unit of the limit.
    pub most: u64,
    /// Where it is set, for a message: `` `--max-memory` ``.
    pub set_by: String,
}

/// Caps, of each limit one at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps(BTreeMap<Limit, Cap>);

impl Caps {
    /// Sets a cap, in place of the one that is there.
    pub fn set(&mut self, limit: Limit, cap: Cap) {
        self.0.insert(limit, cap);
    }

    /// The cap of a limit.
    pub fn get(&self, limit: Limit) -> Option<&Cap> {
        self.0.get(&limit)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, &Cap)> {
        self.0.iter().map(|(limit, cap)| (*limit, cap))
    }

    /// The limits with none above its cap.
    pub fn lower(&self, mut limits: Limits) -> Limits {
        for (limit, cap) in self.iter() {
            let set = limit.of(&mut limits);
            *set = cap.most.min(*set);
        }
        limits
    }

    /// The cap that keeps a limit from being any higher, if one does. `key` is the limit's, or what else is
    /// limited, which has no cap.
    pub fn binding(&self, key: &str, set: u64) -> Option<&Cap> {
        let of_key = self.iter().find(|(limit, _)| limit.key() == key);
        of_key.map(|(_, cap)| cap).filter(|cap| set >= cap.most)
    }

    /// These without one.
    pub(crate) fn without(mut self, limit: Limit) -> Self {
        self.0.remove(&limit);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(all: &[(Limit, u64)]) -> Caps {
        let mut caps = Caps::default();
        for (limit, most) in all {
            let set_by = format!("the test, of {}", limit.key());
            caps.set(
                *limit,
                Cap {
                    most: *most,
                    set_by,
                },
            );
        }
        caps
    }

    #[test]
    fn every_limit_is_lowered_to_its_cap_and_none_is_raised() {
        let default = Limits::default();
        for limit in Limit::ALL {
            let most = |most| caps(&[(limit, most)]).lower(default);
            let mut low = most(5);
            assert_eq!(*limit.of(&mut low), 5, "{}", limit.key());
            // No other is touched.
            *limit.of(&mut low) = *limit.of(&mut { default });
            assert_eq!(low, default);
            assert_eq!(most(u64::MAX), default);
        }
    }

    #[test]
    fn a_cap_is_told_where_it_binds() {
        let caps = caps(&[(Limit::Memory, 100)]);
        assert!(caps.binding("memory", 100).is_some());
        assert!(caps.binding("memory", 99).is_none());
        assert!(caps.binding("fuel", 100).is_none());
        assert!(caps.binding("handles", 100).is_none());
    }
}
