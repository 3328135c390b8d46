//! One file for each verb.

pub(crate) mod adopt;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod lineage;
pub(crate) mod lock;
pub(crate) mod new;
pub(crate) mod pack;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod step;
pub(crate) mod verify;
