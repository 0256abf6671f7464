//! What lies outside the file: environment variables, other files and the time. They come in through one trait, so that a
//! configuration can be read whole without touching the process or the disk.

use std::env::VarError;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// Where environment variables, files and the time come from.
pub trait Sources {
    /// An environment variable.
    ///
    /// # Errors
    ///
    /// It isn't set, or isn't Unicode.
    fn variable(&self, name: &str) -> Result<String, VarError>;

    /// The names of all environment variables, in any order. What isn't Unicode in a name is replaced.
    fn variables(&self) -> Vec<String>;

    /// The first `most` bytes of a file, or all of it where it has fewer.
    ///
    /// # Errors
    ///
    /// It can't be opened or read.
    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>>;

    /// The time, of which certificates are judged.
    fn now(&self) -> SystemTime;
}

/// The process's own environment, its file system and its clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Sources for Process {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        std::env::var(name)
    }

    fn variables(&self) -> Vec<String> {
        let names = std::env::vars_os().map(|(name, _)| name);
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
