//! Keys: the user's own, made on first use, and those that stores are given.
//!
//! The user's key seals compiled code and, unless a store is given a key of its own, what stores keep. It is 32
//! random bytes in the user's data directory, with access for the user alone. A store's own key is for those who
//! share a store: `--store-key FILE`, or else the environment variable `PINION_STORE_KEY`, with 64 hexadecimal
//! digits. A key that others can read is none, and is refused. None is ever shown.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use etcetera::BaseStrategy;
use pinion_runtime::error::Hint;
use pinion_runtime::store::Key;
use thiserror::Error;

/// The environment variable with the key of the store, in the absence of `--store-key`.
pub(crate) const VARIABLE: &str = "PINION_STORE_KEY";
/// Bytes that the file of a store's key may have: the digits and some white space.
const MOST_BYTES: u64 = 1024;
/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, Error)]
pub(crate) enum KeyError {
    /// There is no such file, or it cannot be read.
    #[error("the key `{path}` cannot be read")]
    Unreadable { path: String, source: io::Error },
    /// It is not a key. What it is instead is not shown: it may be nearly one.
    #[error("{place} is not a key\n  expected {expected}\n  found    {found}")]
    Malformed {
        place: String,
        expected: &'static str,
        found: String,
    },
    /// Somebody else may know it, or replace it.
    #[error("the key `{path}` is not safe: others can {can} it")]
    Exposed { path: String, can: &'static str },
    /// The system has nothing that a key could be made of.
    #[error("the system gives no random bytes for a key")]
    NoRandomness(#[source] io::Error),
}

impl Hint for KeyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } | Self::NoRandomness(_) => None,
            Self::Malformed { .. } => Some("to make a key, run `openssl rand -hex 32`".to_owned()),
            Self::Exposed { path, .. } => Some(format!(
                "if nobody has seen it, run `chmod go= '{path}'`; else make another key"
            )),
        }
    }
}

/// The user's key.
pub(crate) struct UserKey {
    pub(crate) bytes: [u8; KEY_BYTES],
    /// The file that it is in, whose owner is the user.
    pub(crate) file: Metadata,
}

impl UserKey {
    /// The key in a directory, made there on first use.
    ///
    /// # Errors
    /// [`KeyError`], if there is one that cannot be used. None if there can be none.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>, KeyError> {
        let path = directory.join("code.key");
        match read(&path) {
            // It is not there, or nobody here may look whether it is.
            Err(_) if fs::symlink_metadata(&path).is_err() => {}
            found => return Self::of(&path, found).map(Some),
        }
        let Ok(made) = make(directory, &path) else {
            return Ok(None);
        };
        Self::of(&path, made.map_or_else(|| read(&path), Ok)).map(Some)
    }

    fn of(path: &Path, found: io::Result<(Vec<u8>, Metadata)>) -> Result<Self, KeyError> {
        let (bytes, file) = found.map_err(|source| unreadable(path, source))?;
        refuse_exposed(path, &file)?;
        let directory = path.parent().map(fs::metadata);
        if let Some(Ok(directory)) = directory
            && cfg!(unix)
            && !is_private(&directory, &file)
        {
            return Err(KeyError::Exposed {
                path: path.display().to_string(),
                can: "replace",
            });
        }
        let bytes: [u8; KEY_BYTES] =
            bytes
                .try_into()
                .map_err(|bytes: Vec<u8>| KeyError::Malformed {
                    place: format!("`{}`", path.display()),
                    expected: "32 bytes",
                    found: format!("{} bytes", bytes.len()),
                })?;
        Ok(Self { bytes, file })
    }
}

/// The directory of the user's key; none if there is no home.
pub(crate) fn directory() -> Option<PathBuf> {
    let directory = match cache_directory() {
        Some(directory) => directory.join("secret"),
        None => {
            let places = etcetera::choose_base_strategy().ok()?;
            places.data_dir().join("pinion")
        }
    };
    is_the_users(&directory).then_some(directory)
}

/// Where the user wants keys and compiled code; none if that is nothing.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let directory = std::env::var_os("PINION_CACHE_DIR")?;
    (!directory.is_empty()).then(|| directory.into())
}

/// Whether a directory is the same wherever a command runs. Any other may be one that came with the project, with
/// a key and code that somebody else made.
pub(crate) fn is_the_users(directory: &Path) -> bool {
    directory.is_absolute()
}

/// The key of stores, and whether it ends with this process: that of the file, else that of the environment, else
/// the user's. Where the user can have none, it is one that nobody else ever has.
pub(crate) fn of_stores(file: Option<&Path>) -> Result<(Key, bool), KeyError> {
    let given = match file {
        Some(file) => Some(from_file(file)?),
        None => from_environment()?,
    };
    let user = directory().map(|directory| UserKey::open(&directory));
    let user = user.transpose().map(Option::flatten);
    if let Some(given) = given {
        // The user's only tells machines apart, and what passes does that as well.
        let machine = match user {
            Ok(Some(user)) => user.bytes,
            _ => passing()?,
        };
        return Ok((Key::new(&given, &machine), false));
    }
    match user? {
        Some(user) => Ok((Key::new(&user.bytes, &user.bytes), false)),
        None => Ok((for_once()?, true)),
    }
}

/// A key that nobody else ever has: for a store that is thrown away.
pub(crate) fn for_once() -> Result<Key, KeyError> {
    let passing = passing()?;
    Ok(Key::new(&passing, &passing))
}

/// Random bytes, the same ones for the whole process.
fn passing() -> Result<[u8; KEY_BYTES], KeyError> {
    static PASSING: OnceLock<[u8; KEY_BYTES]> = OnceLock::new();
    let mut bytes = [0; KEY_BYTES];
    random(&mut bytes).map_err(KeyError::NoRandomness)?;
    Ok(*PASSING.get_or_init(|| bytes))
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
}

fn from_environment() -> Result<Option<[u8; KEY_BYTES]>, KeyError> {
    match std::env::var_os(VARIABLE) {
        // As a secret that a CI job is not given.
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => parse(text.as_encoded_bytes(), &format!("`{VARIABLE}`")).map(Some),
        None => Ok(None),
    }
}

fn from_file(path: &Path) -> Result<[u8; KEY_BYTES], KeyError> {
    let open = || {
        let file = open_regular(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        Ok((bytes, metadata))
    };
    let (bytes, metadata) = open().map_err(|source| unreadable(path, source))?;
    refuse_exposed(path, &metadata)?;
    parse(&bytes, &format!("`{}`", path.display()))
}

fn parse(text: &[u8], place: &str) -> Result<[u8; KEY_BYTES], KeyError> {
    let digits = text.trim_ascii();
    let malformed = || KeyError::Malformed {
        place: place.to_owned(),
        expected: "64 hexadecimal digits",
        found: match digits.len() {
            0 => "nothing".to_owned(),
            len if len as u64 > MOST_BYTES => "more".to_owned(),
            64 => "64 characters that are not all such digits".to_owned(),
            len => format!("{len} characters"),
        },
    };
    let pairs = digits.chunks_exact(2);
    if digits.len() != 2 * KEY_BYTES {
        return Err(malformed());
    }
    let mut key = [0; KEY_BYTES];
    for (byte, pair) in key.iter_mut().zip(pairs) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let digits = pair.iter().map(digit).collect::<Option<Vec<u32>>>();
        let digits = digits.ok_or_else(malformed)?;
        *byte = digits
            .iter()
            .fold(0, |byte, digit| byte << 4 | *digit as u8);
    }
    Ok(key)
}

fn unreadable(path: &Path, source: io::Error) -> KeyError {
    KeyError::Unreadable {
        path: path.display().to_string(),
        source,
    }
}

/// A pipe would be waited for.
fn open_regular(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

fn read(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let file = open_regular(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}

/// Makes a key. None if another process was first: its key counts.
fn make(directory: &Path, path: &Path) -> io::Result<Option<(Vec<u8>, Metadata)>> {
    make_directory(directory)?;
    let mut fresh = vec![0; KEY_BYTES];
    random(&mut fresh)?;
    // A temporary file is created with access for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&fresh)?;
    match file.persist_noclobber(path) {
        Ok(file) => Ok(Some((fresh, file.metadata()?))),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error.error),
    }
}

/// Makes a directory that only the user can write to.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Refuses a key that others than its owner can read or write.
#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::MetadataExt as _;
    let can = match file.mode() {
        mode if mode & 0o044 != 0 => "read",
        mode if mode & 0o033 != 0 => "change",
        _ => return Ok(()),
    };
    Err(KeyError::Exposed {
        path: path.display().to_string(),
        can,
    })
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &Metadata) -> Result<(), KeyError> {
    Ok(())
}

/// Whether only the owner of the file `owned`, and the administrator, can write to a file, or can change what
/// of theirs is in a directory. Unknown counts as no.
#[cfg(unix)]
pub(crate) fn is_private(place: &Metadata, owned: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    const OTHERS_WRITE: u32 = 0o022;
    // In a directory with this bit, everybody can only remove and rename what is theirs.
    const STICKY: u32 = 0o1000;
    let is_ours = place.uid() == owned.uid() || place.uid() == 0;
    let is_sticky = place.is_dir() && place.mode() & STICKY != 0;
    is_ours && (place.mode() & OTHERS_WRITE == 0 || is_sticky)
}

#[cfg(not(unix))]
pub(crate) fn is_private(_: &Metadata, _: &Metadata) -> bool {
    false
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parsed(text: &str) -> [u8; KEY_BYTES] {
        parse(text.as_bytes(), "a").unwrap()
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        let key = parsed(&format!(" {digits}\r\n"));
        assert_eq!(key[..3], [0x01, 0x23, 0x45]);
        assert_eq!(key[8..11], [0xab, 0xcd, 0xef]);
        for (text, found) in [
            (String::new(), "nothing"),
            (" \n".to_owned(), "nothing"),
            (digits[1..].to_owned(), "63 characters"),
            (format!("{digits}0"), "65 characters"),
            (
                digits.replace('a', "g"),
                "64 characters that are not all such digits",
            ),
            (
                digits.replace("01", "é"),
                "64 characters that are not all such digits",
            ),
            ("0".repeat(5000), "more"),
        ] {
            let message = parse(text.as_bytes(), "`FILE`").unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "`FILE` is not a key\n  expected 64 hexadecimal digits\n  found    {found}"
                )
            );
        }
    }

    #[test]
    fn the_users_key_is_made_once() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let first = UserKey::open(&directory).unwrap().unwrap();
        assert_eq!(
            UserKey::open(&directory).unwrap().unwrap().bytes,
            first.bytes
        );
        fs::remove_file(directory.join("code.key")).unwrap();
        assert_ne!(
            UserKey::open(&directory).unwrap().unwrap().bytes,
            first.bytes
        );
        fs::write(directory.join("code.key"), [1; 31]).unwrap();
        let short = UserKey::open(&directory).map(drop).unwrap_err();
        assert!(short.to_string().ends_with("found    31 bytes"), "{short}");
        // No key can be made where a file lies.
        let nowhere = directory.join("code.key/secret");
        assert!(
            UserKey::open(&nowhere)
                .map(|key| key.is_none())
                .unwrap_or(true)
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_see_or_replace_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("secret");
        UserKey::open(&directory).unwrap();
        let given = root.path().join("store.key");
        fs::write(&given, "ab".repeat(32)).unwrap();
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        allow(&given, 0o600);
        from_file(&given).unwrap();
        for mode in [0o604, 0o640, 0o644, 0o622, 0o660] {
            for (path, open) in [
                (
                    &directory.join("code.key"),
                    &(|| UserKey::open(&directory).map(drop)) as &dyn Fn() -> _,
                ),
                (&given, &|| from_file(&given).map(drop)),
            ] {
                allow(path, mode);
                assert!(matches!(open(), Err(KeyError::Exposed { .. })), "{mode:o}");
                allow(path, 0o600);
                open().unwrap();
            }
        }
        allow(&directory, 0o770);
        let replaced = UserKey::open(&directory).map(drop);
        assert!(matches!(
            replaced,
            Err(KeyError::Exposed { can: "replace", .. })
        ));
    }
}
