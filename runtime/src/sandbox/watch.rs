//! Whether a guest may go on: its deadline, and whether anybody still wants what it makes.

use super::state::OutOfTime;
use super::{Cancel, Clock, StepError};
use crate::unit::Limits;

/// Looked at between calls of the host, and within those that may be long.
#[derive(Clone)]
pub(super) struct Watch {
    clock: Clock,
    started_ms: u64,
    limit_ms: u64,
    cancel: &'static dyn Cancel,
}

/// Why a guest may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stopped {
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    OutOfTime(#[from] OutOfTime),
}

impl Stopped {
    /// As an error of the step.
    pub(super) fn error(self) -> StepError {
        match self {
            Self::Cancelled => StepError::Cancelled,
            Self::OutOfTime(late) => StepError::OutOfTime(late),
        }
    }
}

/// Steps of a loop between two looks: each is a row, a name or the like, some nanoseconds.
const STRIDE: usize = 1 << 16;

impl Watch {
    /// For what starts now.
    pub(super) fn new(clock: &Clock, limits: &Limits, cancel: &'static dyn Cancel) -> Self {
        Self {
            clock: Clock::clone(clock),
            started_ms: clock(),
            limit_ms: limits.time_ms,
            cancel,
        }
    }

    /// # Errors
    /// It has to end.
    pub(super) fn look(&self) -> Result<(), Stopped> {
        if self.cancel.is_cancelled() {
            return Err(Stopped::Cancelled);
        }
        let limit_ms = self.limit_ms;
        match (self.clock)().saturating_sub(self.started_ms) > limit_ms {
            true => Err(OutOfTime { limit_ms }.into()),
            false => Ok(()),
        }
    }

    /// The same in step `at` of a loop over many small things: looks at some of them.
    ///
    /// # Errors
    /// It has to end.
    pub(super) fn pass(&self, at: usize) -> Result<(), Stopped> {
        match at.is_multiple_of(STRIDE) {
            true => self.look(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    #[test]
    fn it_ends_when_time_is_up_or_nobody_cares() {
        static CANCEL: AtomicBool = AtomicBool::new(false);
        let now = Arc::new(AtomicU64::new(7));
        let told = Arc::clone(&now);
        let clock: Clock = Arc::new(move || told.load(Ordering::Relaxed));
        let limits = Limits {
            time_ms: 10,
            ..Limits::default()
        };
        let watch = Watch::new(&clock, &limits, &CANCEL);
        now.store(17, Ordering::Relaxed);
        assert_eq!(watch.look(), Ok(()));
        now.store(18, Ordering::Relaxed);
        assert_eq!(watch.look(), Err(OutOfTime { limit_ms: 10 }.into()));
        assert_eq!(watch.pass(1), Ok(()));
        assert_eq!(watch.pass(0), Err(OutOfTime { limit_ms: 10 }.into()));
        CANCEL.store(true, Ordering::Relaxed);
        assert_eq!(watch.look(), Err(Stopped::Cancelled));
    }
}
