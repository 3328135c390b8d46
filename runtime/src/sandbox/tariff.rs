//! What calls between a guest and the host cost: fuel for what crosses the contract.
//!
//! The engine takes fuel for a guest's own instructions. What it has the host do takes fuel by this table, so
//! that no work is free. It counts what is sent and what is asked for, in the form in which it crosses, and never
//! what the host had to do for it: whether a column was in a cache, lay in one piece or had to be brought into
//! canonical form first makes no difference, and neither does the machine, the engine or the number of threads.
//!
//! | what | fuel |
//! |---|---|
//! | a call, either way | [`CALL`] |
//! | a record, a text, a list of bytes or a handle in it | [`ITEM`] |
//! | a byte of a text, and of what is printed, logged or random | 1 |
//! | eight bytes of a buffer, a blob or a state | 1 |
//! | a row that is selected, written or laid aside, and so for every input and made column of its batch | 1 |
//! | a made column of a batch that an operation makes, selects rows of, writes or lays aside | [`COLUMN`] |
//! | a batch of those that are laid end to end | [`ITEM`] |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime::{CallHook, StoreContextMut, Trap};

use super::state::State;
use super::wire;

/// A call, either way.
pub(super) const CALL: u64 = 256;

/// A record, a text, a list of bytes or a handle that crosses.
pub(super) const ITEM: u64 = 16;

/// A made column of a batch that an operation makes, selects rows of, writes or lays aside. Of those that are passed on
/// the guest may not know how many there are.
pub(super) const COLUMN: u64 = 8;

/// Bytes of a buffer for one fuel.
const BYTES: u64 = 8;

/// Least bytes that a call may bring, so that a step whose output is full can still say so.
const LEAST_BYTES: u64 = 64 << 10;

/// Most bytes that a call may bring, a batch many times over.
const MOST_BYTES: u64 = 1 << 30;

/// Fuel of calls between two looks at the clock, which costs as much as a small call: some hundred calls, or one that
/// brings much.
const LOOK: u64 = 1 << 16;

/// Fuel that a guest owes for calls. Shared by what can be called, which has no hand on the fuel itself; taken
/// when the call returns.
#[derive(Clone, Debug, Default)]
pub(super) struct Debt(Arc<AtomicU64>);

impl Debt {
    /// Adds fuel.
    pub(super) fn add(&self, fuel: u64) {
        let sum = self.0.load(Ordering::Relaxed).saturating_add(fuel);
        self.0.store(sum, Ordering::Relaxed);
    }

    /// What is owed, which is nothing afterwards.
    pub(super) fn take(&self) -> u64 {
        let owed = self.0.load(Ordering::Relaxed);
        if owed > 0 {
            self.0.store(0, Ordering::Relaxed);
        }
        owed
    }
}

/// Bytes that the next call may bring from the guest.
pub(super) fn call_bytes(state: &State) -> usize {
    let room = state.session.ledger.room();
    usize::try_from(room.clamp(LEAST_BYTES, MOST_BYTES)).unwrap_or(usize::MAX)
}

/// What every call of a guest comes through, whatever it calls: when it returns, what it owes is taken, and
/// somebody looks whether to go on.
///
/// The engine's own routines come through here too. They owe nothing, which tells them apart: which of them
/// there are differs between engines.
pub(super) fn settle(
    mut store: StoreContextMut<'_, State>,
    hook: CallHook,
) -> wasmtime::Result<()> {
    if !matches!(hook, CallHook::ReturningFromHost) {
        return Ok(());
    }
    let session = &mut store.data_mut().session;
    let owed = session.debt.take();
    if owed == 0 {
        return Ok(());
    }
    session.unseen = session.unseen.saturating_add(owed);
    if session.unseen >= LOOK {
        session.unseen = 0;
        session.watch.look().map_err(wasmtime::Error::new)?;
    }
    let left = store.get_fuel()?.saturating_sub(owed);
    store.set_fuel(left)?;
    if left == 0 {
        return Err(Trap::OutOfFuel.into());
    }
    let bytes = call_bytes(store.data());
    store.set_hostcall_fuel(bytes);
    Ok(())
}

/// A plain value that crosses the contract.
pub(super) trait Crossing {
    /// What it costs.
    fn fuel(&self) -> u64;
}

macro_rules! free {
    ($($plain:ty),*) => {$(
        impl Crossing for $plain {
            fn fuel(&self) -> u64 {
                0
            }
        }
    )*};
}

free!((), bool, u32, u64);

impl<T: 'static> Crossing for Resource<T> {
    fn fuel(&self) -> u64 {
        ITEM
    }
}

impl Crossing for String {
    fn fuel(&self) -> u64 {
        ITEM + self.len() as u64
    }
}

impl Crossing for Bytes {
    fn fuel(&self) -> u64 {
        ITEM + (self.len() as u64).div_ceil(BYTES)
    }
}

impl<T: Crossing> Crossing for Vec<T> {
    fn fuel(&self) -> u64 {
        self.iter().map(Crossing::fuel).sum()
    }
}

impl<T: Crossing> Crossing for Option<T> {
    fn fuel(&self) -> u64 {
        self.as_ref().map_or(0, Crossing::fuel)
    }
}

impl<T: Crossing, E: Crossing> Crossing for Result<T, E> {
    fn fuel(&self) -> u64 {
        match self {
            Ok(value) => value.fuel(),
            Err(error) => error.fuel(),
        }
    }
}

macro_rules! tuples {
    ($(($($part:ident),+))*) => {$(
        impl<$($part: Crossing),+> Crossing for ($($part,)+) {
            #[expect(non_snake_case, reason = "parts are named after their types")]
            fn fuel(&self) -> u64 {
                let ($($part,)+) = self;
                0 $(+ $part.fuel())+
            }
        }
    )*};
}

tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) }

impl Crossing for wire::Field {
    fn fuel(&self) -> u64 {
        ITEM + self.bytes() + ITEM * self.metadata() as u64
    }
}

impl Crossing for wire::Node {
    fn fuel(&self) -> u64 {
        ITEM + self.buffers().fuel()
    }
}

impl Crossing for [Bytes] {
    fn fuel(&self) -> u64 {
        self.iter().map(Crossing::fuel).sum()
    }
}

macro_rules! records {
    ($($record:ident { $($field:ident),+ })*) => {$(
        impl Crossing for wire::$record {
            fn fuel(&self) -> u64 {
                ITEM $(+ self.$field.fuel())+
            }
        }
    )*};
}

records! {
    Error { code, message, details }
    Port { name, role, kind, optional, accepts, doc, annotations }
    PortShape { port, kind, fields, media_type }
    Descriptor { kind, summary, inputs, outputs, params_schema, annotations }
    TableInput { port, table }
    BlobInput { port, blob }
    Inputs { tables, blobs }
    TableOutput { port, writer }
    BlobOutput { port, writer }
    Outputs { tables, blobs }
    OutputBatch { port, rows }
    Range { offset, len, hint }
    Share { partial, carry }
}

impl Crossing for wire::Round {
    fn fuel(&self) -> u64 {
        match self {
            Self::Next(state) | Self::Done(state) => state.fuel(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crosses_is_counted_to_the_last_part() {
        let text = "four".to_owned();
        assert_eq!((7_u64, text.clone()).fuel(), ITEM + 4);
        assert_eq!((vec![text.clone(), text.clone()],).fuel(), 2 * (ITEM + 4));
        assert_eq!(Bytes::from_static(&[0; 17]).fuel(), ITEM + 3);
        let error = wire::Error::new("code", "four");
        let refused: (Result<(), wire::Error>,) = (Err(error),);
        assert_eq!(refused.fuel(), ITEM + 2 * (ITEM + 4));
    }

    #[test]
    fn a_debt_is_paid_once() {
        let debt = Debt::default();
        debt.clone().add(3);
        debt.add(4);
        assert_eq!((debt.take(), debt.take()), (7, 0));
        debt.add(u64::MAX);
        debt.add(1);
        assert_eq!(debt.take(), u64::MAX);
    }
}
