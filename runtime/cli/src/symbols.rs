//! Debug information in components: taken out of what runs, and read to say where a step was.

mod backtrace;
mod files;
mod strip;

pub(crate) use self::backtrace::frames;
pub(crate) use self::files::keep;
pub(crate) use self::strip::strip;
