//! Koigate's configuration: one TOML file to a checked [`koigate_core::plan::Plan`], or every problem with its place.
//!
//! ```text
//! text --read--> File (right in kind) --resolve--> Plan (right in meaning), warnings
//!            \________________________\__________> Report: every problem, with code, place and remedy
//! ```
//!
//! - [`load`] reads a file as `koigate run` does; [`parse`] takes the text.
//! - [`admin`] takes the `[admin]` table alone, whatever else is wrong with the file.
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

use koigate_core::plan::{Admin, Plan};

pub use describe::{describe, url};
pub use place::Place;
pub use report::{Color, Finding, Report};
pub use schema::schema;
pub use sources::{Process, Sources};

use problem::FileProblem;
use read::Lost;
use report::Findings;
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
    let text = text(path, &name, sources)?;
    parse(&text, &name, sources)
}

/// Reads where the operator's side of a running gateway is, and who may come in there, from its configuration file. It may
/// have been broken since the gateway has read it: what isn't the `[admin]` table isn't judged.
///
/// # Errors
///
/// The file can't be read, or what is wrong with the table, or keeps it from being found.
pub fn admin(path: &Path, sources: &impl Sources) -> Result<Admin, Report> {
    let name = path.display().to_string();
    let text = text(path, &name, sources)?;
    let reading = read::read_admin(&text);
    if reading.is_empty {
        return Err(Report::of_file(&name, FileProblem::Empty));
    }
    let around = surroundings(&name, sources, &reading.lost);
    let mut found = Findings::default();
    let admin = resolve::resolve_admin(&reading.file.admin, &around, &mut found);
    let is_hurt = reading.broken_from.is_some() && read::may_have_lost_admin(&text, &reading);
    match admin {
        Some(admin) if !is_hurt && !reading.findings.has_errors_but_syntax() => Ok(admin),
        _ => {
            let mut findings = reading.findings;
            findings.append(found);
            keep_certain(&mut findings, reading.broken_from);
            Err(findings.report(&name, &text, &reading.mask))
        }
    }
}

/// Takes a configuration as text. `name` is the file's path as it is shown; paths in the file begin at its folder.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(text: &str, name: &str, sources: &impl Sources) -> Result<Loaded, Report> {
    let reading = read::read(text);
    if reading.is_empty {
        return Err(Report::of_file(name, FileProblem::Empty));
    }
    let mut findings = reading.findings;
    let around = surroundings(name, sources, &reading.lost);
    let plan = resolve::resolve(&reading.file, &around, &mut findings);
    keep_certain(&mut findings, reading.broken_from);
    let report = findings.report(name, text, &reading.mask);
    match plan {
        Some(plan) => Ok(Loaded {
            plan,
            warnings: report,
        }),
        None => Err(report),
    }
}

/// The text of a file.
fn text(path: &Path, name: &str, sources: &impl Sources) -> Result<String, Report> {
    let bytes = sources
        .file(path, MOST + 1)
        .map_err(|error| Report::of_file(name, FileProblem::Unreadable { error: error.kind() }))?;
    if bytes.len() as u64 > MOST {
        return Err(Report::of_file(name, FileProblem::TooLarge { most: MOST }));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(name, &error))
}

fn surroundings<'a>(name: &'a str, sources: &'a impl Sources, lost: &'a Lost) -> Surroundings<'a> {
    Surroundings {
        sources,
        folder: Path::new(name).parent().unwrap_or(Path::new("")),
        lost,
    }
}

/// Keeps what is certain in a file that breaks somewhere. A line that isn't TOML takes others with it: what comes
/// after may be in the wrong table, what seems to be missing may be there, and what the parser made up stands
/// nowhere. What stands before is judged.
fn keep_certain(findings: &mut Findings, broken_from: Option<usize>) {
    let Some(broken_from) = broken_from else { return };
    findings.retain(|span, problem| {
        let stands_before = !span.is_empty() && span.end <= broken_from;
        problem.is_syntax() || (stands_before && !problem.is_absence())
    });
}

/// Where a file stops being UTF-8. Its text is shown up to there, masked: nobody knows what it is.
fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Report {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes());
    let mut findings = Findings::default();
    findings.note(&(valid..valid + 1), FileProblem::NotUtf8);
    findings.report(name, &text, &mask::Mask::all())
}
