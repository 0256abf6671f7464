//! What of a line of the file may be shown. A problem is shown with its line, and a line may hold a token.
//!
//! The rule is a list of what is safe, not of what is secret: keys, and the values of keys that Koigate knows
//! and that hold no secret. Headers' values, the userinfo and query of a URL, values of unknown keys (`token =
//! "..."` is a likely one), comments, and whatever stands from the first broken line on are masked, character
//! for character, so that places stay true.

use koigate_core::hook::is_name;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::place::{Span, line_start};

/// Keys whose values can't be secrets, wherever they stand. On a broken line, where nobody knows what belongs to
/// what, only their values are shown.
const PLAIN: [&str; 41] = [
    "allow",
    "always_finish",
    "chain",
    "connect_timeout",
    "cool_off",
    "deadline",
    "drain",
    "exists",
    "failure_message",
    "failure_statuses",
    "failures",
    "format",
    "give_up",
    "hide",
    "images",
    "interval",
    "keep",
    "keys",
    "lame_duck",
    "length",
    "level",
    "listen",
    "max_body",
    "max_buffered",
    "max_connections",
    "max_connections_per_address",
    "max_in_flight",
    "max_reply",
    "may",
    "may_change",
    "memory",
    "observers",
    "on_conflict",
    "on_failure",
    "reject",
    "retries",
    "shadow",
    "show",
    "table_guard",
    "threads",
    "timeout",
];

/// The other keys. What else looks like a key on a broken line may be a line of a secret.
const OTHER: [&str; 30] = [
    "admin",
    "at",
    "auth",
    "backends",
    "breaker",
    "ca",
    "cert",
    "client_ca",
    "defaults",
    "env",
    "eq",
    "file",
    "headers",
    "health",
    "hooks",
    "in",
    "key",
    "log",
    "matches",
    "not_in",
    "path",
    "queue",
    "secret",
    "server",
    "sign",
    "tls",
    "token",
    "traces",
    "url",
    "when",
];

/// Keys whose values are secrets.
const SECRETS: [&str; 2] = ["secret", "token"];

/// Keys whose values may hold a query, and with it a secret.
const URLS: [&str; 2] = ["path", "url"];

/// Keys whose values are names of files, in whose place somebody may put what is in them.
const FILES: [&str; 4] = ["ca", "cert", "client_ca", "key"];

/// Tables of these. What stands in place of such a table is a secret of which only the key was forgotten.
const AROUND_SECRETS: [&str; 2] = ["auth", "sign"];

/// What stays readable of a part that isn't known to be safe: the bones of TOML, and white space.
const BONES: [char; 11] = [' ', '\t', '=', '[', ']', '{', '}', ',', '"', '\'', '#'];

/// What is known of a character.
#[derive(Debug, Clone, Copy)]
enum Sight {
    Shown,
    Hidden,
    Unknown,
}

/// The parts of the text that may be shown, and those that may not.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// Keys and values that are safe.
    shown: Vec<Span>,
    /// What is masked whole, punctuation included, although it may lie within a shown part.
    hidden: Vec<Span>,
    /// From here on the text isn't TOML, and what looks like a value may be anything.
    broken_from: Option<usize>,
}

/// Whether the values of this key can't be secrets.
pub(crate) fn is_plain(key: &str) -> bool {
    PLAIN.contains(&key)
}

/// Whether this could be a certificate or a key instead of a file's name. Its first line has dashes and spaces.
pub(crate) fn may_be_pem(text: &str) -> bool {
    text.contains('\n') || (text.contains("--") && text.contains(' '))
}

// === impl Mask ===

impl Mask {
    /// Looks through what was parsed. `unknown` are the places of keys that Koigate doesn't know.
    pub(crate) fn new(text: &str, table: &DeTable<'_>, unknown: &[Span], broken_from: Option<usize>) -> Self {
        let mut mask = Self {
            broken_from,
            ..Self::default()
        };
        mask.table(text, table, unknown);
        mask
    }

    /// Masks everything: nothing is known of the text.
    pub(crate) fn all() -> Self {
        Self {
            broken_from: Some(0),
            ..Self::default()
        }
    }

    /// The line as it may be shown, and the caret's range within that.
    pub(crate) fn excerpt(&self, text: &str, line: &Span, caret: &Span) -> (String, Span) {
        let source = text.get(line.clone()).unwrap_or_default();
        let sights = self.sights(source, line);
        let mut shown = String::with_capacity(source.len());
        let (mut from, mut to) = (None, None);
        for ((offset, letter), sight) in source.char_indices().zip(sights) {
            if line.start + offset >= caret.start {
                from.get_or_insert(shown.len());
            }
            if line.start + offset >= caret.end {
                to.get_or_insert(shown.len());
            }
            let visible = match sight {
                Sight::Shown => true,
                Sight::Unknown => BONES.contains(&letter),
                Sight::Hidden => false,
            };
            shown.push(if visible { letter } else { '*' });
        }
        let end = shown.len();
        let from = from.unwrap_or(end);
        (shown, from..to.unwrap_or(end).max(from))
    }

    /// What is known of each character of a line.
    fn sights(&self, source: &str, line: &Span) -> Vec<Sight> {
        let is_broken = self.broken_from.is_some_and(|from| from <= line.start);
        let safe = if is_broken {
            safe_on_broken_line(source)
        } else {
            length_of_header(source)
        };
        let overlaps = |span: &&Span| span.start < line.end && line.start < span.end;
        let shown: Vec<&Span> = self
            .shown
            .iter()
            .filter(|span| !is_broken && overlaps(span))
            .collect();
        let hidden: Vec<&Span> = self.hidden.iter().filter(overlaps).collect();
        let is_in = |spans: &[&Span], at: usize| spans.iter().any(|span| span.contains(&at));
        source
            .char_indices()
            .map(|(offset, _)| match line.start + offset {
                at if is_in(&hidden, at) => Sight::Hidden,
                at if offset < safe || is_in(&shown, at) => Sight::Shown,
                _ => Sight::Unknown,
            })
            .collect()
    }

    fn table(&mut self, text: &str, table: &DeTable<'_>, unknown: &[Span]) {
        for (key, value) in table.iter() {
            self.shown.push(key.span());
            let secret = key.get_ref() == "headers" || unknown.contains(&key.span());
            match value.get_ref() {
                _ if SECRETS.contains(&&**key.get_ref()) => self.secret(value),
                DeValue::Table(inner) if secret => self.secret_table(inner),
                DeValue::Table(inner) => self.table(text, inner, unknown),
                _ if AROUND_SECRETS.contains(&&**key.get_ref()) => self.secret(value),
                _ if secret => self.hide(&value.span()),
                DeValue::String(_) if URLS.contains(&&**key.get_ref()) => self.show_url(text, value.span()),
                DeValue::Array(elements) => self.array(text, elements, unknown),
                DeValue::String(name) if FILES.contains(&&**key.get_ref()) && may_be_pem(name) => {
                    self.hide(&value.span());
                }
                _ => self.show(text, value.span()),
            }
        }
    }

    fn array(&mut self, text: &str, elements: &DeArray<'_>, unknown: &[Span]) {
        for element in elements.iter() {
            match element.get_ref() {
                DeValue::Table(inner) => self.table(text, inner, unknown),
                DeValue::Array(inner) => self.array(text, inner, unknown),
                DeValue::String(_) => self.show_url(text, element.span()),
                _ => self.show(text, element.span()),
            }
        }
    }

    /// A table of secrets: its keys are shown, and where a secret comes from.
    fn secret_table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            self.shown.push(key.span());
            self.secret(value);
        }
    }

    /// A secret, or an array of them: where it comes from is shown.
    fn secret(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(elsewhere) => {
                for (source, place) in elsewhere.iter() {
                    self.shown.push(source.span());
                    if matches!(source.get_ref().as_ref(), "env" | "file") {
                        self.shown.push(place.span());
                    } else {
                        self.hide(&place.span());
                    }
                }
            }
            DeValue::Array(elements) => elements.iter().for_each(|element| self.secret(element)),
            _ => self.hide(&value.span()),
        }
    }

    /// Hides a value but for the marks at its ends.
    fn hide(&mut self, span: &Span) {
        self.hidden.push(span.start + 1..span.end.saturating_sub(1));
    }

    /// Shows a value of one line. Of several lines a string may have swallowed what isn't its own.
    fn show(&mut self, text: &str, span: Span) {
        if !text.get(span.clone()).unwrap_or_default().contains('\n') {
            self.shown.push(span);
        }
    }

    /// Shows a URL, but not what stands before its `@`, nor the query. It may be no URL at all: this takes the
    /// marks for what they are.
    fn show_url(&mut self, text: &str, span: Span) {
        let raw = text.get(span.clone()).unwrap_or_default();
        let start = raw.find("://").map_or(1, |scheme| scheme + "://".len());
        // The last `@`: a password may hold one, and `/` and `?`, where somebody forgot to encode them.
        let user = raw.rfind('@').unwrap_or(start).max(start);
        self.hidden.push(span.start + start..span.start + user);
        if let Some(query) = raw.find('?') {
            self.hidden
                .push(span.start + query + 1..span.end.saturating_sub(1));
        }
        self.show(text, span);
    }
}

/// How much of a line is a table's header, such as `[backends.a]`: its names are keys, but not each has a place
/// in the parsed table.
fn length_of_header(source: &str) -> usize {
    let (start, word) = first_word(source);
    let end = start + word.len();
    let is_header =
        source.trim_start().starts_with('[') && source.get(end..).is_some_and(|rest| rest.starts_with(']'));
    if is_header { end } else { 0 }
}

/// How much of a broken line is safe: the key or the table's name, as far as it is a known one; and the value, if the key
/// is a plain one and one word follows.
fn safe_on_broken_line(source: &str) -> usize {
    let (start, word) = first_word(source);
    let is_known = |key: &&str| PLAIN.contains(key) || OTHER.contains(key);
    let known: usize = word
        .split_inclusive('.')
        .take_while(|key| is_known(&key.trim_end_matches('.')))
        .map(str::len)
        .sum();
    let end = start + known;
    if known == 0 {
        return 0;
    }
    // A header of a backend or a hook, which else nobody could tell from the others.
    let name = word.get(known..).unwrap_or_default();
    if matches!(word.get(..known), Some("backends." | "hooks."))
        && is_name(name)
        && source.trim() == format!("[{word}]")
    {
        return source.len();
    }
    let rest = source.get(end..).unwrap_or_default().trim();
    let value = rest.strip_prefix('=').unwrap_or(rest).trim();
    let is_one_word = !value.contains([' ', '\t', '=', '{', '#']);
    if PLAIN.contains(&word) && is_one_word {
        source.len()
    } else {
        end
    }
}

/// The bare key at the beginning of a line, behind brackets, and where it begins.
fn first_word(source: &str) -> (usize, &str) {
    let body = source.trim_start_matches([' ', '\t', '[']);
    let end = body
        .find(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c))
        .unwrap_or(body.len());
    (source.len() - body.len(), body.get(..end).unwrap_or_default())
}

/// Where the line begins in which this byte stands.
pub(crate) fn start_of_line(text: &str, at: usize) -> usize {
    line_start(text.get(..at.min(text.len())).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A key that is added to the file is sorted here too: into the plain ones only if it can't be a secret.
    #[test]
    fn every_key_is_known() {
        let schema = crate::schema().to_value();
        let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        let keys: BTreeSet<&str> = tables
            .filter_map(|table| table["properties"].as_object())
            .flatten()
            .map(|(key, _)| &**key)
            .collect();
        let known: BTreeSet<&str> = PLAIN.into_iter().chain(OTHER).collect();
        assert_eq!(known, keys);
    }
}
