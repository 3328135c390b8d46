//! The tar file, to the byte.

use super::PackError;

/// What everything in a tar file is a multiple of, in bytes.
const BLOCK: u64 = 512;
/// What a tar file ends in: two blocks of zeros.
pub(super) const END: [u8; 1024] = [0; 1024];
/// The mode of every file: everybody reads, its owner writes.
const MODE: u32 = 0o644;

/// What stands before the bytes of a file: its path and its length, and nothing else that differs between
/// files. More than one block if the path is long.
///
/// # Errors
/// [`PackError::Path`]: the path cannot be written.
pub(super) fn header(path: &str, bytes: u64) -> Result<Vec<u8>, PackError> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(MODE);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(bytes);
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_data(&mut header, path, std::io::empty())
        .map_err(|error| PackError::Path {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
    Ok(builder.get_ref().clone())
}

/// Path and length that a header of one block says, if it is one of a plain file.
pub(super) fn read_header(block: &[u8; 512]) -> Option<(String, u64)> {
    let header = tar::Header::from_byte_slice(block);
    let path = String::from_utf8(header.path_bytes().into_owned()).ok()?;
    let plain = header.entry_type() == tar::EntryType::Regular;
    Some((path, header.entry_size().ok().filter(|_| plain)?))
}

/// What is said of a header that is not the expected one: its path, and what it is if it is no plain file.
pub(super) fn describe(header: &[u8]) -> String {
    let Some(block) = header.first_chunk::<512>() else {
        return "no header".to_owned();
    };
    let header = tar::Header::from_byte_slice(block);
    let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
    let kind = match header.entry_type() {
        tar::EntryType::Regular => "a file",
        tar::EntryType::Symlink | tar::EntryType::Link => "a link",
        tar::EntryType::Directory => "a directory",
        _ => "something else",
    };
    if path.is_empty() {
        "no file".to_owned()
    } else {
        format!("{kind} `{path}`")
    }
}

/// How many zeros follow so many bytes.
pub(super) fn padding(bytes: u64) -> usize {
    // Less than a block.
    (bytes.next_multiple_of(BLOCK) - bytes) as usize
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_path_and_length_and_nothing_else() {
        let bytes = header("data/a.csv", 5).unwrap();
        assert_eq!(
            read_header(bytes.first_chunk().unwrap()),
            Some(("data/a.csv".to_owned(), 5))
        );
        assert_eq!(bytes.len(), 512);
        assert_eq!(bytes, header("data/a.csv", 5).unwrap());
        // Fields of the format: mode, owner, group, time.
        assert_eq!(&bytes[100..124], b"0000644\x000000000\x000000000\0");
        assert_eq!(&bytes[136..148], b"00000000000\0");
    }

    #[test]
    fn long_paths_and_large_files_have_headers() {
        let path = format!("data/{}.csv", "x".repeat(300));
        assert_eq!(header(&path, 1).unwrap().len(), 3 * 512);
        let large = header("a", 1 << 40).unwrap();
        assert_eq!(
            read_header(large.first_chunk().unwrap()),
            Some(("a".to_owned(), 1 << 40))
        );
    }

    #[test]
    fn files_fill_whole_blocks() {
        assert_eq!((padding(0), padding(1), padding(512)), (0, 511, 0));
    }
}
