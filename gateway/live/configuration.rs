//! A configuration, and what it was read from: the file itself and every file that it names.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env::VarError;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use koigate_config::{Loaded, Process, Report, Sources};
use koigate_core::plan::Plan;
use sha2::{Digest, Sha256};

/// A checked configuration that can be told from a later state of its files.
#[derive(Debug)]
pub struct Configuration {
    /// What was configured.
    pub plan: Plan,
    /// What its author should know; it may be empty.
    pub warnings: Report,
    pub(super) origin: Origin,
}

/// What a configuration was read from: the file, the secrets beside it, and what stood in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    path: PathBuf,
    overrides: Overrides,
    files: BTreeMap<PathBuf, Seen>,
}

/// What variables of the environment do to the keys of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overrides {
    /// `KOIGATE__SERVER__LISTEN` stands for `server.listen`.
    Heeded,
    /// Nothing.
    Ignored,
}

/// One file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// How many bytes were asked for.
    most: u64,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Sha256([u8; 32]),
    Unreadable(io::ErrorKind),
}

/// The process's own sources, and a note of every file that was asked for.
struct Noted {
    overrides: Overrides,
    files: RefCell<BTreeMap<PathBuf, Seen>>,
}

// === impl Configuration ===

impl Configuration {
    /// Reads a configuration file, and what it names, as `koigate check` does.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Report> {
        Origin::unseen(path, Overrides::Heeded).read().1
    }

    /// The same of a file that stands for itself: no variable of the environment overrides a key of it, now or when it
    /// is read again.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read_as_written(path: &Path) -> Result<Self, Report> {
        Origin::unseen(path, Overrides::Ignored).read().1
    }
}

// === impl Origin ===

impl Origin {
    /// A file that nobody has looked at yet.
    fn unseen(path: &Path, overrides: Overrides) -> Self {
        Self {
            path: path.to_owned(),
            overrides,
            files: BTreeMap::new(),
        }
    }

    /// Reads the file as it is now. What was looked at is known of a bad one too, so that it is not tried again
    /// before something has changed.
    pub(super) fn read(&self) -> (Self, Result<Configuration, Report>) {
        let noted = Noted {
            overrides: self.overrides,
            files: RefCell::default(),
        };
        let loaded = koigate_config::load(&self.path, &noted);
        let origin = Self {
            files: noted.files.into_inner(),
            ..self.clone()
        };
        let configuration = loaded.map(|Loaded { plan, warnings, .. }| Configuration {
            plan,
            warnings,
            origin: origin.clone(),
        });
        (origin, configuration)
    }

    /// The configuration file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the configuration file in hex, as `sha256sum` prints it; empty where it can't be read.
    pub(super) fn hash(&self) -> String {
        let Some(Content::Sha256(digest)) = self.files.get(&self.path).map(|seen| &seen.content) else {
            return String::new();
        };
        digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The folders in which its files stand.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(|file| match file.parent() {
            None => file,
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
        })
    }

    /// The same files as they are now.
    pub(super) fn now(&self) -> Self {
        let look = |(path, seen): (&PathBuf, &Seen)| {
            let bytes = Process.file(path, seen.most);
            (path.clone(), Seen::new(seen.most, &bytes))
        };
        Self {
            files: self.files.iter().map(look).collect(),
            ..self.clone()
        }
    }
}

// === impl Seen ===

impl Seen {
    fn new(most: u64, bytes: &io::Result<Vec<u8>>) -> Self {
        let content = match bytes {
            Ok(bytes) => Content::Sha256(Sha256::digest(bytes).into()),
            Err(error) => Content::Unreadable(error.kind()),
        };
        Self { most, content }
    }
}

// === impl Noted ===

impl Sources for Noted {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        Process.variable(name)
    }

    fn variables(&self) -> Vec<String> {
        match self.overrides {
            Overrides::Heeded => Process.variables(),
            Overrides::Ignored => Vec::new(),
        }
    }

    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let bytes = Process.file(path, most);
        let seen = Seen::new(most, &bytes);
        self.files.borrow_mut().insert(path.to_owned(), seen);
        bytes
    }

    fn now(&self) -> SystemTime {
        Process.now()
    }
}
