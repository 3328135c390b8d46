//! A blob as a place to write to.

use std::io;

use pinion_sdk::{BlobWriter, Error};

/// Hands bytes on to a blob, and keeps what the host refused.
pub(crate) struct Sink<'a> {
    blob: &'a mut BlobWriter,
    refused: Option<Error>,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(blob: &'a mut BlobWriter) -> Self {
        Sink {
            blob,
            refused: None,
        }
    }

    /// The host's own refusal, if that is why writing failed.
    pub(crate) fn refused(&self) -> Option<Error> {
        self.refused.clone()
    }
}

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.blob.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let message = error.to_string();
                self.refused = Some(error);
                Err(io::Error::other(message))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
