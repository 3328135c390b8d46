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
    /// `CON`, `aux.csv`, `com1`: a device on Windows, whatever comes after the dot.
    #[error("a part of it is the name of a device on Windows")]
    Device,
    /// `data./a.csv`, `a.csv `: Windows leaves dots and spaces at the end of a name out.
    #[error("a part of it ends with a dot or a space, which Windows leaves out")]
    Ending,
    /// One of `<>:"|?*`.
    #[error("it contains one of `< > : \" | ? *`, which Windows does not allow in names")]
    Punctuation,
    /// A `${` in the path of a source.
    #[error("only the params of steps may refer to params")]
    Reference,
}

/// The path without `.` parts and doubled or trailing `/`.
///
/// # Errors
/// [`PathProblem`] if the path is not relative with `/` between its parts, could leave the directory it is
/// relative to, or cannot be the path of the same file on every system.
pub fn normal_path(path: &str) -> Result<String, PathProblem> {
    let normal = normal_pattern(path)?;
    match normal.contains(['*', '?']) {
        true => Err(PathProblem::Punctuation),
        false => Ok(normal),
    }
}

/// The same of a path that may be a pattern, with `*` and `?` in it.
pub(super) fn normal_pattern(path: &str) -> Result<String, PathProblem> {
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
    if path.contains(['<', '>', ':', '"', '|']) {
        return Err(PathProblem::Punctuation);
    }
    for part in &parts {
        if part.ends_with(['.', ' ']) {
            return Err(PathProblem::Ending);
        }
        if is_device(part) {
            return Err(PathProblem::Device);
        }
    }
    Ok(parts.join("/"))
}

/// Whether Windows takes the name of a file or directory for a device: `con`, `NUL.txt`, `com1`.
pub fn is_device(name: &str) -> bool {
    let (stem, _) = name.split_once('.').unwrap_or((name, ""));
    let stem = stem.trim_end_matches(' ').to_ascii_lowercase();
    let numbered = |stem: &str| {
        let number = stem.strip_prefix("com").or(stem.strip_prefix("lpt"));
        // Digits of other sorts count as well.
        number.is_some_and(|number| {
            matches!(number, "\u{b9}" | "\u{b2}" | "\u{b3}") || {
                number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
            }
        })
    };
    ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&stem.as_str()) || numbered(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_made_normal() {
        assert_eq!(normal_path("data/a.csv"), Ok("data/a.csv".to_owned()));
        assert_eq!(normal_path("./data//days/"), Ok("data/days".to_owned()));
        assert_eq!(
            normal_pattern("data//*/..csv"),
            Ok("data/*/..csv".to_owned())
        );
        assert_eq!(
            normal_path("contents/com10/nulls.csv"),
            Ok("contents/com10/nulls.csv".to_owned())
        );
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

    #[test]
    fn what_is_not_the_same_path_on_every_system_is_refused() {
        for path in [
            "CON",
            "data/aux.csv",
            "nul/a.csv",
            "lpt9.tar.gz",
            "Com1 .txt",
            "com\u{b2}",
            "conin$",
        ] {
            assert_eq!(normal_path(path), Err(PathProblem::Device), "{path}");
        }
        for path in ["data./a.csv", "a.csv ", "a.csv.", "... /a"] {
            assert_eq!(normal_path(path), Err(PathProblem::Ending), "{path}");
        }
        for path in ["ab:c.csv", "data/a<b", "a>b", "a|b", "a\"b", "a*b", "a?b"] {
            assert_eq!(normal_path(path), Err(PathProblem::Punctuation), "{path}");
        }
    }
}
