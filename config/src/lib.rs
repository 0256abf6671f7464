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
//! - [`describe()`] says in words what a plan does; [`schema()`] is for editors, [`key_table()`] for readers.
//!
//! A key that isn't known is an error like any other, so no option is ever read and ignored. No secret is in any
//! problem, rendering, description or `Debug` form.

mod describe;
mod file;
mod keys;
mod mask;
mod near;
mod overrides;
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
pub use keys::key_table;
pub use place::Place;
pub use report::{Color, Finding, Report};
pub use schema::schema;
pub use sources::{Process, Sources};

use overrides::Variables;
use problem::FileProblem;
use read::Lost;
use report::{Findings, Written};
use resolve::Surroundings;

/// The largest file that is read, in bytes. A configuration of a hundred backends has 50 KiB.
const MOST: u64 = 1 << 20;

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The checked configuration.
    pub plan: Plan,
    /// The keys whose values come from environment variables instead of the file: `server.listen`.
    pub overridden: Vec<String>,
    /// What its author should know; it may be empty.
    pub warnings: Report,
}

/// Reads a configuration file, and the environment variables that override keys of it: `KOIGATE__SERVER__LISTEN`.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn load(path: &Path, sources: &impl Sources) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    let text = text(path, &name, sources)?;
    let variables = Variables::new(sources, text.len());
    judge(&text, &name, &variables, sources)
}

/// Takes a configuration as text, and nothing else: no variable overrides a key of it. `name` is the file's path as it is
/// shown; paths in the file begin at its folder.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(text: &str, name: &str, sources: &impl Sources) -> Result<Loaded, Report> {
    judge(text, name, &Variables::default(), sources)
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
    let variables = Variables::new(sources, text.len()).of_admin();
    let reading = read::read_admin(&text, &variables);
    if reading.is_empty {
        return Err(Report::of_file(&name, FileProblem::Empty));
    }
    let around = surroundings(&name, sources, &reading.lost);
    let mut found = Findings::default();
    let admin = resolve::resolve_admin(&reading.file.admin, &around, &mut found);
    let is_hurt = reading.broken_from.is_some() && read::may_have_lost_admin(&text, &reading);
    match admin {
        Some(admin) if !is_hurt && !reading.findings.has_errors_but_syntax() => Ok(admin),
        _ => Err(reading.report(&name, &text, &variables, found)),
    }
}

fn judge(text: &str, name: &str, variables: &Variables, sources: &impl Sources) -> Result<Loaded, Report> {
    let mut reading = read::read(text, variables);
    if reading.is_empty {
        return Err(Report::of_file(name, FileProblem::Empty));
    }
    let around = surroundings(name, sources, &reading.lost);
    let mut findings = std::mem::take(&mut reading.findings);
    let plan = resolve::resolve(&reading.file, &around, &mut findings);
    let overridden = reading.overridden.iter().map(|key| key.key.clone()).collect();
    let report = reading.report(name, text, variables, findings);
    match plan {
        Some(plan) => Ok(Loaded {
            plan,
            overridden,
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

/// Where a file stops being UTF-8. Its text is shown up to there, masked: nobody knows what it is.
fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Report {
    let valid = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes());
    let mut findings = Findings::default();
    findings.note(&(valid..valid + 1), FileProblem::NotUtf8);
    findings.report(Written {
        name,
        text: &text,
        mask: &mask::Mask::all(),
        variables: &Variables::default(),
        overridden: &[],
    })
}
