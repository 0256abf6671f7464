//! What `POST /reload` answers: the differences, or every problem, in words or as JSON.

use koigate_config::{Color, Report};
use serde::Serialize;

use super::json;
use super::status::{Problem, problems};
use crate::inbound::{Head, Response};
use crate::live::Changes;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people, as `koigate check` writes it.
    Text,
    /// For programs.
    Json,
}

/// A configuration that runs now.
#[derive(Debug, Serialize)]
struct Reloaded {
    /// A line for each part that is different; empty where nothing has changed.
    changes: Vec<String>,
    /// Keys whose new values wait for a restart.
    needs_restart: Vec<&'static str>,
    /// What its author should know.
    warnings: Vec<Problem>,
}

/// A configuration that can't be used.
#[derive(Debug, Serialize)]
struct Refused {
    /// Everything that is wrong with it.
    errors: Vec<Problem>,
}

/// 200 with what has changed, or 422 with what is wrong.
pub(super) fn answer(result: Result<Changes, Report>, form: Form) -> Response {
    match (result, form) {
        (Ok(changes), Form::Text) => Response::text(200, &in_words(&changes)),
        (Err(report), Form::Text) => Response::text(422, &rendered(&report)),
        (Ok(changes), Form::Json) => {
            let warnings = problems(&changes.warnings);
            let (changes, needs_restart) = (changes.lines, changes.needs_restart);
            json(
                200,
                &Reloaded {
                    changes,
                    needs_restart,
                    warnings,
                },
            )
        }
        (Err(report), Form::Json) => {
            let errors = problems(&report);
            json(422, &Refused { errors })
        }
    }
}

fn in_words(changes: &Changes) -> String {
    let mut text = String::new();
    if changes.lines.is_empty() {
        text += "nothing has changed\n";
    }
    for line in &changes.lines {
        text += &format!("{line}\n");
    }
    if !changes.needs_restart.is_empty() {
        text += &format!("needs a restart: {}\n", changes.needs_restart.join(", "));
    }
    if !changes.warnings.is_empty() {
        text += &format!("\n{}", rendered(&changes.warnings));
    }
    text
}

fn rendered(report: &Report) -> String {
    format!("{}\n", report.render(Color::Never))
}

// === impl Form ===

impl Form {
    /// JSON for who names it in `Accept` (RFC 9110 section 12.5.1), text for everybody else.
    pub(super) fn accepted(head: &Head) -> Self {
        let accept = head
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("accept"));
        let mut ranges = accept.flat_map(|(_, value)| value.split(|&byte| byte == b','));
        match ranges.any(is_json) {
            true => Self::Json,
            false => Self::Text,
        }
    }
}

fn is_json(range: &[u8]) -> bool {
    let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
