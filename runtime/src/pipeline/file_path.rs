//! Paths in authored files: relative, portable, and inside the pipeline's directory.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// No text at all, or nothing but `.`.
    #[error("it names no file")]
    Empty,
    /// `/data`, `C:\data`, `//host/share`.
    #[error("it is absolute")]
    Absolute,
    /// A `..` part.
    #[error("it leaves the directory of the pipeline with `..`")]
    Parent,
    /// A backslash, which separates parts on one system and is part of a name on others.
    #[error("it contains `\\`")]
    Backslash,
    /// A control character.
    #[error("it contains a control character")]
    Control,
    /// A `${` in the path of a source.
    #[error("only the params of steps may refer to params")]
    Reference,
}

/// The path without `.` parts and doubled or trailing `/`.
///
/// # Errors
/// [`PathProblem`] if the path is not relative with `/` between its parts, or could leave the
/// directory it is relative to.
pub fn normal_path(path: &str) -> Result<String, PathProblem> {
    let bytes = path.as_bytes();
    let drive = matches!(bytes, [letter, b':', ..] if letter.is_ascii_alphabetic());
    if path.starts_with('/') || path.starts_with("\\\\") || drive {
        return Err(PathProblem::Absolute);
    }
    if path.contains('\\') {
        return Err(PathProblem::Backslash);
    }
    if path.contains(char::is_control) {
        return Err(PathProblem::Control);
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(PathProblem::Parent);
    }
    if parts.is_empty() {
        return Err(PathProblem::Empty);
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_made_normal() {
        assert_eq!(normal_path("data/a.csv"), Ok("data/a.csv".to_owned()));
        assert_eq!(normal_path("./data//days/"), Ok("data/days".to_owned()));
        assert_eq!(normal_path("data/*/..csv"), Ok("data/*/..csv".to_owned()));
    }

    #[test]
    fn other_paths_are_refused() {
        assert_eq!(normal_path(""), Err(PathProblem::Empty));
        assert_eq!(normal_path("./."), Err(PathProblem::Empty));
        assert_eq!(normal_path("/etc/passwd"), Err(PathProblem::Absolute));
        assert_eq!(normal_path("C:/data"), Err(PathProblem::Absolute));
        assert_eq!(normal_path("c:data"), Err(PathProblem::Absolute));
        assert_eq!(normal_path("\\\\host\\share"), Err(PathProblem::Absolute));
        assert_eq!(normal_path("data\\a.csv"), Err(PathProblem::Backslash));
        assert_eq!(normal_path("data/../../a"), Err(PathProblem::Parent));
        assert_eq!(normal_path("a\nb"), Err(PathProblem::Control));
    }
}
