//! An environment and a folder that exist only in a test, and reports in short.

use std::collections::BTreeMap;
use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use koigate_config::{Finding, Report, Sources};

/// Variables and files that are written down in the test.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    now: Duration,
}

impl Fixed {
    /// Sets a variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the time, in days since 1970.
    pub(crate) fn day(mut self, day: u64) -> Self {
        self.now = Duration::from_secs(day * 24 * 60 * 60);
        self
    }

    /// Writes a file.
    pub(crate) fn file(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), bytes.as_ref().to_vec());
        self
    }
}

impl Sources for Fixed {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        let value = self.variables.get(name).map(String::as_str);
        if name == "NOT_UNICODE" || value == Some("NOT UNICODE") {
            return Err(VarError::NotUnicode("?".into()));
        }
        value.map(str::to_owned).ok_or(VarError::NotPresent)
    }

    fn variables(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes
            .iter()
            .copied()
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .collect())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.now
    }
}

/// Everything found, as `code line:column`.
pub(crate) fn codes(report: &Report) -> Vec<String> {
    let place = |finding: &Finding| match finding.place() {
        Some(place) => format!("{} {}:{}", finding.code(), place.line, place.column),
        None => finding.code().to_owned(),
    };
    report.findings().iter().map(place).collect()
}
