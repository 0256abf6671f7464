//! A configuration of any bytes, with any environment: it is read or it isn't; every problem has its place inside
//! the text; everything that can be said about it can be said; and no secret is in that.
//!
//! Pieces of an input are parted by 0xFF, which is in no UTF-8: the file, then variables, `NAME=value` each.
#![no_main]

use std::collections::BTreeMap;
use std::env::VarError;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use koigate_config::{Color, Loaded, Report, Sources, admin, describe, load, parse};
use libfuzzer_sys::fuzz_target;

/// What the variable `SECRET` and every file but the configuration hold.
const SECRET: &str = "c4n4ry-in-the-gold-mine-9f2e";

/// The configuration's path.
const NAME: &str = "folder/koigate.toml";

struct World<'a> {
    file: &'a [u8],
    variables: BTreeMap<String, String>,
}

impl<'a> World<'a> {
    fn read(input: &'a [u8]) -> Self {
        let mut pieces = input.split(|&byte| byte == 0xFF);
        let file = pieces.next().unwrap_or_default();
        let variables = pieces.filter_map(|piece| {
            let (name, value) = std::str::from_utf8(piece).ok()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let secret = ("SECRET".to_owned(), SECRET.to_owned());
        Self {
            file,
            variables: variables.chain([secret]).collect(),
        }
    }
}

impl Sources for World<'_> {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        self.variables.get(name).cloned().ok_or(VarError::NotPresent)
    }

    fn variables(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let bytes = if path == Path::new(NAME) {
            self.file
        } else {
            SECRET.as_bytes()
        };
        if path.file_name().is_some_and(|name| name == "missing") {
            return Err(io::ErrorKind::NotFound.into());
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(bytes[..bytes.len().min(most)].to_vec())
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }
}

fuzz_target!(|input: &[u8]| {
    let world = World::read(input);
    let file = String::from_utf8_lossy(world.file);
    // Written down in the open it is no secret.
    let is_open = input
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes());
    check(load(Path::new(NAME), &world), &file, is_open);
    if let Ok(text) = std::str::from_utf8(world.file) {
        check(parse(text, NAME, &world), text, is_open);
    }
    match (admin(Path::new(NAME), &world), load(Path::new(NAME), &world)) {
        (Ok(alone), Ok(whole)) => assert_eq!(format!("{alone:?}"), format!("{:?}", whole.plan.admin)),
        (Err(report), Ok(_)) => panic!("{report}"),
        (Err(report), Err(_)) => check_report(&report, &file, is_open),
        (Ok(_), Err(_)) => {}
    }
});

fn check(result: Result<Loaded, Report>, file: &str, is_open: bool) {
    match result {
        Ok(loaded) => {
            check_report(&loaded.warnings, file, is_open);
            let described = loaded.describe();
            assert!(described.contains(&*describe(&loaded.plan)));
            check_secrets(&described, is_open);
            check_secrets(&format!("{loaded:?}"), is_open);
        }
        Err(report) => {
            assert!(!report.is_empty());
            check_report(&report, file, is_open);
        }
    }
}

fn check_report(report: &Report, file: &str, is_open: bool) {
    let lines: Vec<&str> = file.split('\n').collect();
    for finding in report.findings() {
        assert!(!finding.message().is_empty() && !finding.remedy().is_empty());
        assert!(finding.code().starts_with("KG"));
        assert!(finding.stands_at(report.name()).len() < 1000);
        let Some(place) = finding.place() else { continue };
        let line = place.line.checked_sub(1).and_then(|line| lines.get(line));
        let line = line.unwrap_or_else(|| panic!("no line {} in {file:?}", place.line));
        assert!(
            (1..=line.chars().count() + 1).contains(&place.column),
            "{place:?}"
        );
    }
    let rendered = report.render(Color::Never);
    assert!(!rendered.contains('\u{1b}'));
    check_secrets(&rendered, is_open);
    check_secrets(&report.render(Color::Always), is_open);
    check_secrets(&format!("{report:?}"), is_open);
}

fn check_secrets(text: &str, is_open: bool) {
    assert!(is_open || !text.contains(SECRET), "{text}");
}
