//! Components that are compiled and described once for all cases.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pinion_runtime::component::Component;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::lock::{ComponentKey, Origin};
use pinion_runtime::sandbox::{Descriptor, Program};
use pinion_runtime::unit::Shape;
use pinion_tests::fixtures;
use pinion_tests::step::{NEVER, program, sandbox};

/// A component that pipelines are made of.
pub(super) struct Known {
    pub(super) component: Component,
    pub(super) descriptor: Descriptor,
    program: Arc<Program>,
}

/// A standard component by its name, or a fixture.
pub(super) fn known(name: &str) -> &'static Known {
    static KNOWN: Mutex<BTreeMap<String, &'static Known>> = Mutex::new(BTreeMap::new());
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(name) {
        return known;
    }
    let (bytes, origin) = match is_fixture(name) {
        true => (fixtures::component(name), Origin::File),
        false => (fixtures::standard(name), Origin::Std),
    };
    let program = program(bytes).unwrap();
    // Each is there until the process ends.
    let known: &'static Known = Box::leak(Box::new(Known {
        component: Component {
            key: ComponentKey {
                name: reference(name).trim_end_matches("@0.1").to_owned(),
                version: (!is_fixture(name)).then(|| "0.1.0".parse().unwrap()),
            },
            origin,
            digest: ComponentDigest::of(bytes),
            bytes: bytes.into(),
        },
        descriptor: sandbox().describe(&program, &NEVER).unwrap(),
        program,
    }));
    all.insert(name.to_owned(), known);
    known
}

/// What a pipeline calls it.
pub(super) fn reference(name: &str) -> String {
    match is_fixture(name) {
        true => format!("./{name}.wasm"),
        false => format!("std:{name}@0.1"),
    }
}

fn is_fixture(name: &str) -> bool {
    name.starts_with("tell")
}

impl Known {
    /// What comes out for these inputs; none if the component refuses them.
    pub(super) fn check(&self, params: &str, inputs: &[Shape]) -> Option<Vec<Shape>> {
        let checked = sandbox().check(&self.program, &self.descriptor, params, inputs, &NEVER);
        checked.ok()
    }
}
