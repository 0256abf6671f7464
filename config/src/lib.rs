//! Koigate's configuration: one TOML file to a checked [`koigate_core::plan::Plan`], or every problem with its place.
//!
//! ```text
//! text --read--> File (right in kind) --resolve--> Plan (right in meaning), warnings
//!            \________________________\__________> Report: every problem, with code, place and remedy
//! ```
//!
//! - [`load`] reads a file as `koigate run` does; [`parse`] takes the text.
//! - A [`Report`] renders itself, and its findings can be walked.
//! - [`describe()`] says in words what a plan does; [`schema()`] is for editors.
//!
//! A key that isn't known is an error like any other, so no option is ever read and ignored. No secret is in any
//! problem, rendering, description or `Debug` form.

mod describe;
mod file;
mod mask;
mod near;
mod place;
pub mod problem;
mod read;
mod render;
mod report;
mod resolve;
mod schema;
mod sources;
mod units;

use std::path::Path;

use koigate_core::plan::Plan;

pub use describe::describe;
pub use place::Place;
pub use report::{Color, Finding, Report};
pub use schema::schema;
pub use sources::{Process, Sources};

use problem::FileProblem;
use resolve::Surroundings;

/// The largest file that is read, in bytes. A configuration of a hundred backends has 50 KiB.
const MOST: u64 = 1 << 20;

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The checked configuration.
    pub plan: Plan,
    /// What its author should know; it may be empty.
    pub warnings: Report,
}

/// Reads a configuration file.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn load(path: &Path, sources: &impl Sources) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    let bytes = sources
        .file(path, MOST + 1)
        .map_err(|error| Report::of_file(&name, FileProblem::Unreadable { error: error.kind() }))?;
    if bytes.len() as u64 > MOST {
        return Err(Report::of_file(&name, FileProblem::TooLarge { most: MOST }));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(&name, &error))?;
    parse(&text, &name, sources)
}

/// Takes a configuration as text. `name` is the file's path as it is shown; paths in the file begin at its folder.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(text: &str, name: &str, sources: &impl Sources) -> Result<Loaded, Report> {
    let reading = read::read(text);
    let mut findings = reading.findings;
    let around = Surroundings {
        sources,
        folder: Path::new(name).parent().unwrap_or(Path::new("")),
        lost: &reading.lost,
    };
    let plan = resolve::resolve(&reading.file, &around, &mut findings);
    if let Some(broken_from) = reading.broken_from {
        // A line that isn't TOML takes others with it: what comes after may be in the wrong table, what seems to
        // be missing may be there, and what the parser made up stands nowhere. What stands before is judged.
        findings.retain(|span, problem| {
            let stands_before = !span.is_empty() && span.end <= broken_from;
            problem.is_syntax() || (stands_before && !problem.is_absence())
        });
    }
    let report = findings.report(name, text, &reading.mask);
    match plan {
        Some(plan) => Ok(Loaded {
            plan,
            warnings: report,
        }),
        None => Err(report),
    }
}

/// Where a file stops being UTF-8. Its text is shown up to there, masked: nobody knows what it is.
fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Report {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes());
    let mut findings = report::Findings::default();
    findings.note(&(valid..valid + 1), FileProblem::NotUtf8);
    findings.report(name, &text, &mask::Mask::all())
}
