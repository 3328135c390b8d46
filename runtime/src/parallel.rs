//! Work on several threads, whose results do not depend on how many there are.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cap_std::fs::{File, FileExt as _};

use crate::digest::Digest;
use crate::digest::parts::{self, PART_BYTES, PartHasher};

/// Does something for each number below `count`, on at most `threads` threads; gives results in order.
///
/// # Errors
/// Of several failures that of the lowest number. What comes after a failure may not be done.
pub(crate) fn each<T: Send, E: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    if threads <= 1 || count <= 1 {
        return (0..count).map(work).collect();
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                // Numbers are taken in order, so everything below one that failed is done.
                while !failed.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let result = work(at);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// From how many bytes on a file is read in parts.
pub(crate) const LARGE_BYTES: u64 = 2 * PART_BYTES;

/// Bytes that are read at once, which stay in a processor's cache until they are used.
const READ_BYTES: usize = 1 << 18;

/// Why a file was not read to its end.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It could not be read.
    Read(io::Error),
    /// Whoever was given its bytes did not take them.
    Given(io::Error),
}

/// Reads the first `len` bytes of a file, at least [`LARGE_BYTES`], in parts on at most `threads` threads,
/// and gives the digest of what was read.
///
/// `give` is handed every byte once, with its offset, in any order. If the file changes meanwhile, the digest
/// is that of the bytes handed over.
pub(crate) fn read(
    file: &File,
    len: u64,
    threads: usize,
    give: impl Fn(u64, &[u8]) -> io::Result<()> + Sync,
) -> Result<Digest, ReadError> {
    let count = usize::try_from(len.div_ceil(PART_BYTES)).unwrap_or(usize::MAX);
    let hashed = each(threads, count, |number| {
        let mut at = number as u64 * PART_BYTES;
        let end = len.min(at + PART_BYTES);
        let mut hasher = PartHasher::new(number);
        let mut buffer = vec![0; READ_BYTES];
        while at < end {
            let most = buffer
                .len()
                .min(usize::try_from(end - at).unwrap_or(buffer.len()));
            let count = match read_at(file, &mut buffer[..most], at) {
                Ok(0) => return Err(ReadError::Read(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::Read(error)),
            };
            let bytes = &buffer[..count];
            hasher.update(bytes);
            give(at, bytes).map_err(ReadError::Given)?;
            at += count as u64;
        }
        Ok(hasher.finish())
    })?;
    // There are at least two parts.
    parts::digest(&hashed).ok_or_else(|| ReadError::Read(io::ErrorKind::InvalidInput.into()))
}

/// Reads from an offset, without a position that threads would share.
#[cfg(not(windows))]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Reads from an offset. Threads share a position, but none relies on it.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Writes all bytes at an offset.
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        #[cfg(not(windows))]
        let written = file.write_at(bytes, offset);
        #[cfg(windows)]
        let written = file.seek_write(bytes, offset);
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Mutex;

    use cap_std::fs::Dir;

    use super::*;

    #[test]
    fn results_are_in_order_and_the_lowest_failure_counts() {
        for threads in [1, 2, 8] {
            let all: Result<Vec<usize>, ()> = each(threads, 100, |at| Ok(at * at));
            assert_eq!(all.unwrap(), (0..100).map(|at| at * at).collect::<Vec<_>>());
            assert_eq!(each(threads, 0, |_| Err::<(), _>(())), Ok(Vec::new()));
            for _ in 0..20 {
                let failed: Result<Vec<()>, usize> =
                    each(
                        threads,
                        100,
                        |at| if at % 30 == 17 { Err(at) } else { Ok(()) },
                    );
                assert_eq!(failed, Err(17));
            }
        }
    }

    #[test]
    fn a_large_file_is_read_once_on_any_number_of_threads() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), cap_std::ambient_authority()).unwrap();
        let bytes: Vec<u8> = (0..LARGE_BYTES + 70_001)
            .map(|at| (at % 241) as u8)
            .collect();
        dir.write("large", &bytes).unwrap();
        let file = dir.open("large").unwrap();
        for threads in [1, 3] {
            let given = Mutex::new(vec![0; bytes.len()]);
            let digest = read(&file, bytes.len() as u64, threads, |at, piece| {
                let at = at as usize;
                // Bytes given twice would not be right.
                let mut given = given.lock().unwrap();
                for (given, piece) in given[at..at + piece.len()].iter_mut().zip(piece) {
                    *given += piece;
                }
                Ok(())
            });
            assert_eq!(digest.unwrap(), Digest::of(&bytes));
            assert!(*given.lock().unwrap() == bytes);
        }
        let shorter = read(&file, bytes.len() as u64 + 1, 2, |_, _| Ok(()));
        assert!(matches!(shorter, Err(ReadError::Read(_))));
        let refused = read(&file, bytes.len() as u64, 2, |_, _| {
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(refused, Err(ReadError::Given(_))));
    }
}
