//! The user's config, and the caps that hold.

use super::report::Report;
use crate::args::CapArgs;
use crate::config;

/// Says which config file is read, and what no step may use more than.
pub(super) fn check(report: &mut Report) {
    match config::file() {
        Ok(None) => report.ok("config", "none is read"),
        Ok(Some(file)) => {
            let path = file.path.display();
            match file.config {
                Some(_) => report.ok("config", &format!("`{path}`")),
                None => report.ok("config", &format!("there is none at `{path}`")),
            }
        }
        Err(failure) => return report.failure("config", &failure),
    }
    match config::caps(&CapArgs::default()) {
        Ok(caps) => {
            for (limit, cap) in caps.iter() {
                let (key, most) = (limit.key(), limit.shown(cap.most));
                report.ok(
                    "config",
                    &format!("{key} at most {most}, by {}", cap.set_by),
                );
            }
        }
        Err(failure) => report.failure("config", &failure),
    }
}
