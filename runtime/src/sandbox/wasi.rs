//! The world as a guest finds it: empty, silent and at the beginning of time.
//!
//! Every import here is inert. There are no files, no arguments and no environment; the clocks stand
//! still and waiting takes no time; random bytes follow from the component and its params, so that hash
//! maps order themselves alike everywhere. Anything else a component imports is a capability, and
//! instantiation refuses it.
//!
//! Each function asks for its part of the state once a call, and that is where the call's fuel is taken.

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random, sync};
use wasmtime_wasi::p2::{DynOutputStream, DynPollable, Pollable, subscribe};

use super::console::Console;
use super::random::Random;
use super::state::State;
use super::tariff;

/// The interfaces that are defined here, without their version, 0.2.
pub(super) const INTERFACES: [&str; 20] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/exit",
    "wasi:cli/environment",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
];

/// Defines the closed list of inert imports.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<State, Io>(linker, resources)?;
    sync::io::poll::add_to_linker::<State, Io>(linker, resources)?;
    sync::io::streams::add_to_linker::<State, Io>(linker, resources)?;
    monotonic_clock::add_to_linker::<State, FrozenClock>(linker, frozen)?;
    wall_clock::add_to_linker::<State, FrozenClock>(linker, frozen)?;
    random::random::add_to_linker::<State, Random>(linker, State::random)?;
    random::insecure::add_to_linker::<State, Random>(linker, State::random)?;
    random::insecure_seed::add_to_linker::<State, Random>(linker, State::random)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, Printing>(linker, |state| {
        state.session.debt.add(tariff::CALL);
        Print(&mut state.resources, &state.stdout)
    })?;
    cli::stderr::add_to_linker::<State, Printing>(linker, |state| {
        state.session.debt.add(tariff::CALL);
        Print(&mut state.resources, &state.stderr)
    })?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    sync::filesystem::types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)
}

fn resources(state: &mut State) -> &mut ResourceTable {
    state.session.debt.add(tariff::CALL);
    &mut state.resources
}

fn frozen(state: &mut State) -> Frozen<'_> {
    state.session.debt.add(tariff::CALL);
    Frozen(&mut state.resources)
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

/// Standard output and error.
struct Printing;

impl HasData for Printing {
    type Data<'a> = Print<'a>;
}

struct Print<'a>(&'a mut ResourceTable, &'a Console);

impl Print<'_> {
    fn stream(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.1.clone());
        Ok(self.0.push(stream)?)
    }
}

impl cli::stdout::Host for Print<'_> {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.stream()
    }
}

impl cli::stderr::Host for Print<'_> {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.stream()
    }
}

/// Clocks that stand still.
struct FrozenClock;

impl HasData for FrozenClock {
    type Data<'a> = Frozen<'a>;
}

struct Frozen<'a>(&'a mut ResourceTable);

impl Frozen<'_> {
    fn ready(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        let ready = self.0.push(Ready)?;
        subscribe(self.0, ready)
    }
}

impl wall_clock::Host for Frozen<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 0,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 1,
            nanoseconds: 0,
        })
    }
}

impl monotonic_clock::Host for Frozen<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(0)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.ready()
    }

    fn subscribe_duration(&mut self, _duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.ready()
    }
}

/// Where time stands still, every moment has come.
struct Ready;

#[wasmtime_wasi::async_trait]
impl Pollable for Ready {
    async fn ready(&mut self) {}
}
