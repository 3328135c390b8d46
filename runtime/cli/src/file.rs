//! Files that are there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::OpenOptions;
use pinion_runtime::regular;

use crate::failure::Failure;

/// Bytes that a file of a test case may have, which is read whole.
pub(crate) const MOST_FIXTURE_BYTES: u64 = 256 << 20;

/// Where bytes of a file go, counted.
pub(crate) struct Out<'a> {
    to: BufWriter<&'a File>,
    bytes: u64,
}

/// The bytes of a file that somebody named, of at most `most` bytes; links are followed. What is no file, such as
/// a pipe, is refused: whoever reads one may wait for ever.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    regular::whole(open(path)?, most)
}

/// Opens a file that somebody named, as [`read`].
pub(crate) fn open(path: &Path) -> io::Result<cap_std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true);
    regular::wait_for_nobody(&mut options);
    let file = cap_std::fs::File::open_ambient_with(path, &options, ambient_authority())?;
    regular::refuse(file.metadata()?.file_type())?;
    Ok(file)
}

/// The text in a file, as [`read`].
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(read(path, most)?).map_err(not_text)
}

/// Writes a file and gives its length in bytes.
///
/// The bytes go to a temporary file in the same directory, which is renamed at the end: a failure leaves
/// what was there. A link is followed, and what is no file, as a pipe, is written to as it is.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut Out<'_>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let failed = |error| unwritable(path, error);
    let there = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    match there {
        Some(metadata) if metadata.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
        Some(metadata) if !metadata.is_file() => fill(
            &File::options().write(true).open(path).map_err(failed)?,
            path,
            write,
        ),
        there => {
            let target = if there.is_some() {
                fs::canonicalize(path).map_err(failed)?
            } else {
                path.to_path_buf()
            };
            let temporary = temporary(&target).map_err(failed)?;
            if let Some(metadata) = there {
                fs::set_permissions(temporary.path(), metadata.permissions()).map_err(failed)?;
            }
            let bytes = fill(temporary.as_file(), path, write)?;
            temporary
                .persist(&target)
                .map_err(|error| failed(error.error))?;
            Ok(bytes)
        }
    }
}

/// The failure for a file that cannot be written.
pub(crate) fn unwritable(path: &Path, error: io::Error) -> Failure {
    Failure::on_path("write", path.display(), error)
}

fn fill(
    file: &File,
    path: &Path,
    write: impl FnOnce(&mut Out<'_>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut out = Out {
        to: BufWriter::new(file),
        bytes: 0,
    };
    write(&mut out)?;
    out.flush().map_err(|error| unwritable(path, error))?;
    Ok(out.bytes)
}

/// A temporary file beside `target`. Errors do not show its random name.
fn temporary(target: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pinion-");
    // As any new file: whatever the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let parent = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    // What the system says of a directory that is not there is lost on the way out of `tempfile`.
    fs::metadata(&parent)?;
    builder
        .tempfile_in(parent)
        .map_err(|error| error.kind().into())
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn text(text: &'static str) -> impl FnOnce(&mut Out<'_>) -> Result<(), Failure> {
        move |out| {
            out.write_all(text.as_bytes())
                .map_err(|error| Failure::on_path("write", "x", error))
        }
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        assert_eq!(replace(&path, text("one")).unwrap(), 3);
        assert_eq!(replace(&path, text("three")).unwrap(), 5);
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        replace(&path, text("one")).unwrap();
        let half = |out: &mut Out<'_>| {
            text("half")(out)?;
            Err(Failure::failed("no more"))
        };
        assert_eq!(
            replace(&path, half).unwrap_err().error.to_string(),
            "no more"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        assert!(replace(dir.path(), text("one")).is_err());
        let failure = replace(&dir.path().join("none/a.csv"), text("one")).unwrap_err();
        let cause = failure.error.source().unwrap().to_string();
        assert!(!cause.contains(".pinion-"), "{cause}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.csv"), dir.path().join("link.csv"));
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, text("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
