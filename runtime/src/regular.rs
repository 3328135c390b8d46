//! Regular files, opened through a directory that was handed in.
//!
//! Names come from pipelines, lockfiles and whoever wrote into a directory, and so does what lies under them:
//! a pipe, on which a reader waits for ever, a device without an end, a link that leads elsewhere, a file of
//! terabytes without a byte on the disk. What is opened here is a file of the directory, opening it never waits,
//! and it is never read beyond what its reader expects.

use std::io::{self, Read as _};

use cap_std::fs::{Dir, File, FileType, OpenOptions};

use crate::error::amount;

/// Opens a file to read it.
///
/// # Errors
/// What the system says; [`leads_out`] of it tells a link out of the directory. What is no file is
/// [`io::ErrorKind::InvalidInput`], a directory [`io::ErrorKind::IsADirectory`].
pub fn open(dir: &Dir, path: &str) -> io::Result<File> {
    open_with(dir, path, OpenOptions::new().read(true))
}

/// Opens a file.
///
/// # Errors
/// As [`open`].
pub fn open_with(dir: &Dir, path: &str, options: &OpenOptions) -> io::Result<File> {
    let mut options = options.clone();
    wait_for_nobody(&mut options);
    let file = dir.open_with(path, &options).map_err(|error| {
        // Sockets cannot be opened at all, and some systems cannot open directories.
        let what = dir.metadata(path).map(|metadata| metadata.file_type());
        match what.map(refuse) {
            Ok(Err(refused)) => refused,
            _ => explained(error),
        }
    })?;
    refuse(file.metadata()?.file_type())?;
    Ok(file)
}

/// The bytes of a file of at most `most` bytes.
///
/// # Errors
/// As [`open`]; [`io::ErrorKind::FileTooLarge`] for one that is larger.
pub fn read(dir: &Dir, path: &str, most: u64) -> io::Result<Vec<u8>> {
    whole(open(dir, path)?, most)
}

/// The bytes of an open file of at most `most` bytes.
///
/// # Errors
/// As [`read`].
pub fn whole(file: File, most: u64) -> io::Result<Vec<u8>> {
    refuse(file.metadata()?.file_type())?;
    let len = file.metadata()?.len();
    let too_large = |len| {
        let (len, most) = (amount::size(len), amount::size(most));
        let problem = format!("it is too large: {len}, and at most {most} are read");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, problem))
    };
    if len > most {
        return too_large(len);
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))?;
    // It may grow meanwhile, and some files have no length.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        len if len > most => too_large(len),
        _ => Ok(bytes),
    }
}

/// Makes sure that what was found is a file.
///
/// # Errors
/// As [`open`], of what is none.
pub fn refuse(kind: FileType) -> io::Result<()> {
    let problem = |kind, problem: &str| Err(io::Error::new(kind, problem.to_owned()));
    match what(kind) {
        _ if kind.is_file() => Ok(()),
        _ if kind.is_dir() => problem(io::ErrorKind::IsADirectory, "it is a directory and no file"),
        what => problem(
            io::ErrorKind::InvalidInput,
            &format!("it is {what} and no file"),
        ),
    }
}

#[cfg(unix)]
fn what(kind: FileType) -> &'static str {
    use cap_std::fs::FileTypeExt as _;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn what(_kind: FileType) -> &'static str {
    "a device"
}

/// Whether an error says that something is there, and is no file, or a larger one than is read.
pub(crate) fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, InvalidInput, IsADirectory};
    // The system's own refusals have a number.
    error.kind() == IsADirectory
        || error.raw_os_error().is_none() && matches!(error.kind(), InvalidInput | FileTooLarge)
}

/// Whether an error says that a link leads out of the directory.
pub fn leads_out(error: &io::Error) -> bool {
    // The system's own refusals have a number.
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// The error in words of this program, where the system's own say little.
pub fn explained(error: io::Error) -> io::Error {
    match leads_out(&error) {
        true => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a link leads out of the directory, and nothing outside of it is read or written",
        ),
        false => error,
    }
}

/// Lets a file be opened without waiting: opening a pipe waits for whoever is at its other end, unless one says
/// that one does not want to.
#[cfg(unix)]
pub fn wait_for_nobody(options: &mut OpenOptions) {
    use cap_std::fs::OpenOptionsExt as _;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
}

/// Lets a file be opened without waiting.
#[cfg(not(unix))]
pub fn wait_for_nobody(_options: &mut OpenOptions) {}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use cap_std::ambient_authority;

    use super::*;

    fn place() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let inside = temp.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(temp.path().join("outside"), "secret").unwrap();
        std::fs::write(inside.join("a"), "four").unwrap();
        let dir = Dir::open_ambient_dir(inside, ambient_authority()).unwrap();
        (temp, dir)
    }

    fn pipe(temp: &tempfile::TempDir, name: &str) {
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            temp.path().join("inside").join(name),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        );
        made.unwrap();
    }

    #[test]
    fn files_are_read_as_far_as_is_expected() {
        let (temp, dir) = place();
        assert_eq!(read(&dir, "a", 4).unwrap(), b"four");
        assert_eq!(
            read(&dir, "a", 3).unwrap_err().to_string(),
            "it is too large: 4 B, and at most 3 B are read"
        );
        // Terabytes that nobody has written.
        let huge = std::fs::File::create(temp.path().join("inside/huge")).unwrap();
        huge.set_len(1 << 40).unwrap();
        assert_eq!(
            read(&dir, "huge", 1 << 20).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn what_is_no_file_is_told_and_nobody_waits() {
        let (temp, dir) = place();
        pipe(&temp, "pipe");
        let path = temp.path().join("inside/socket");
        drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        std::fs::create_dir(temp.path().join("inside/directory")).unwrap();
        let told = |path| open(&dir, path).unwrap_err().to_string();
        assert_eq!(told("pipe"), "it is a pipe and no file");
        assert_eq!(told("socket"), "it is a socket and no file");
        assert_eq!(told("directory"), "it is a directory and no file");
        // Neither to write: a writer would wait for a reader.
        let write = open_with(&dir, "pipe", OpenOptions::new().write(true));
        assert_eq!(write.unwrap_err().to_string(), told("pipe"));
        assert_eq!(
            open(&dir, "none").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn links_lead_to_files_of_the_directory_and_to_no_others() {
        let (temp, dir) = place();
        let inside = temp.path().join("inside");
        for (to, name) in [
            ("a", "to-a"),
            ("../outside", "out"),
            ("/proc/self/environ", "far"),
            ("/dev/zero", "zero"),
        ] {
            symlink(to, inside.join(name)).unwrap();
        }
        assert_eq!(read(&dir, "to-a", 4).unwrap(), b"four");
        for path in [
            "out",
            "far",
            "zero",
            "../outside",
            "/etc/passwd",
            "out/../a",
        ] {
            let error = read(&dir, path, 100).unwrap_err();
            assert!(leads_out(&error), "{path}: {error}");
        }
        // What the system forbids is something else.
        let forbidden = io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
        assert!(!leads_out(&forbidden));
    }
}
