//! What the README says is true, and it says the same in both languages.

mod follow;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use koigate_config::{Color, Process};
use koigate_core::failure::FailureKind;
use koigate_core::plan::Plan;

use self::page::{Block, CHINESE, ENGLISH, Page, SECURITY};
use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::promql::assert_asks_for_what_is_there;
use crate::support::python::{Spelling, Value, assert_same, json};
use crate::support::reply;

const BOTH: [Page; 2] = [ENGLISH, CHINESE];

// === both languages ===

#[test]
fn both_languages_have_the_same_headings_code_and_links() {
    let levels = |page: Page| {
        page.headings()
            .iter()
            .map(|(level, _)| *level)
            .collect::<Vec<_>>()
    };
    assert_eq!(levels(ENGLISH), levels(CHINESE));
    let (english, chinese) = (ENGLISH.blocks(), CHINESE.blocks());
    for (english, chinese) in english.iter().zip(&chinese) {
        assert_eq!(english, chinese);
    }
    assert_eq!(english.len(), chinese.len());
    assert_eq!(ENGLISH.links()[1..], CHINESE.links()[1..]);
}

#[test]
fn each_begins_with_a_link_to_the_other() {
    assert_eq!(ENGLISH.first_line(), format!("[中文]({})", CHINESE.name));
    assert_eq!(CHINESE.first_line(), format!("[English]({})", ENGLISH.name));
}

#[test]
fn what_it_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in ENGLISH.links() {
        let is_elsewhere = link.starts_with("https://") || link.starts_with('#');
        assert!(is_elsewhere || root.join(&link).exists(), "{link}");
    }
}

#[test]
fn what_the_threat_model_names_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github");
    for link in SECURITY.links() {
        let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
        assert!(folder.join(path).exists(), "{link}");
        assert!(anchor.is_empty() || ENGLISH.has_heading(anchor), "{link}");
    }
    let keys = include_str!("../config/KEYS.md");
    let is_key = |word: &str| {
        word.contains(['.', '_'])
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_'))
    };
    let words = SECURITY
        .spans()
        .into_iter()
        .filter_map(|span| span.split(' ').next());
    for key in words.filter(|word| is_key(word)) {
        let is_there = keys.contains(&format!("`{key}` |")) || keys.contains(&format!(".{key}` |"));
        assert!(is_there, "{key} is no key");
    }
}

// === configurations ===

/// The codes of what `check` finds in a file, beside which every secret is that it names.
fn findings(text: &str) -> Vec<String> {
    let folder = Folder::new("findings");
    for secret in text.split("{ file = \"").skip(1) {
        let (name, _) = secret.split_once('"').unwrap();
        fs::write(folder.0.join(name), SECRET).unwrap();
    }
    let path = folder.0.join("koigate.toml");
    fs::write(&path, text).unwrap();
    let report = match koigate_config::load(&path, &Process) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    };
    report
        .findings()
        .iter()
        .map(|finding| finding.code().to_owned())
        .collect()
}

/// Long enough for a token, and in the form of a key to sign with.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

fn plan(text: &str) -> Plan {
    let loaded = koigate_config::parse(text, "README.md", &Process);
    loaded
        .unwrap_or_else(|report| panic!("{}\n{text}", report.render(Color::Never)))
        .plan
}

#[test]
fn its_configurations_are_without_a_flaw() {
    let blocks = ENGLISH.blocks_in("toml");
    assert!(blocks.len() >= 2);
    for Block { name, text, .. } in blocks {
        let expected: &[&str] = match name {
            // A part of a file, without hooks.
            Some("admin" | "hook-token") => &["KG101"],
            _ => &[],
        };
        assert_eq!(findings(&text), expected, "{name:?}:\n{text}");
    }
}

#[test]
fn koipy_gets_one_and_the_same_url_three_times_and_it_is_ours() {
    let url = format!("http://{}/", plan(&ENGLISH.block("your-bot")).server.listen[0]);
    let expected = ["callbacks:".to_owned()]
        .into_iter()
        .chain(koigate_core::hook::KNOWN.map(|hook| format!("  {hook}: {url}")))
        .collect::<Vec<_>>();
    assert_eq!(ENGLISH.block("koipy").lines().collect::<Vec<_>>(), expected);
}

#[test]
fn prometheus_is_sent_where_the_metrics_are() {
    let admin = plan(&ENGLISH.block("your-bot")).admin.listen;
    let target = format!("- targets: [\"{admin}\"]");
    assert!(ENGLISH.block("prometheus").contains(&target), "{target}");
}

/// Every key that it names by its place, and every word with an underscore that is no metric, is in the schema.
#[test]
fn every_key_that_it_names_exists() {
    let schema = koigate_config::schema().as_value().to_string();
    let is_key = |key: &str| schema.contains(&format!("\"{key}\":"));
    let kinds = FailureKind::ALL.map(FailureKind::as_str);
    for page in BOTH {
        let mut found = 0;
        for span in page.spans() {
            let word = span.split([' ', '=']).next().unwrap_or_default();
            let is_word = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
            let parts: Vec<&str> = word.split('.').collect();
            let is_path = ["server", "admin", "log", "defaults"].contains(&parts[0]) && parts.len() > 1;
            let is_name = parts.len() == 1 && word.contains('_') && word == word.to_lowercase();
            if !(is_path || is_name) || !is_word(&parts.concat()) || kinds.contains(&word) {
                continue;
            }
            if word.starts_with("koigate_") || NOT_KEYS.contains(&word) {
                continue;
            }
            assert!(parts.iter().all(|part| is_key(part)), "{}: {span}", page.name);
            found += 1;
        }
        assert!(found > 20, "{}: {found}", page.name);
    }
}

/// Words with an underscore that are somebody else's.
const NOT_KEYS: [&str; 2] = ["extra_hosts", "__"];

// === what it shows ===

/// `koigate check` on a file with this text, where the README puts it.
fn checked(text: &str) -> Output {
    let folder = Folder::new("checked");
    fs::write(folder.0.join("koigate.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_koigate"));
    command.args(["check", "koigate.toml"]).current_dir(&folder.0);
    command.output().unwrap()
}

#[test]
fn check_prints_what_it_shows() {
    let configuration = ENGLISH.block("your-bot");
    let output = checked(&configuration);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        ENGLISH.block("your-bot-plan")
    );

    let output = checked(&configuration.replacen("timeout ", "timout ", 1));
    let said = String::from_utf8(output.stderr).unwrap();
    let said = said.replace("koigate.toml", "/etc/koigate/koigate.toml");
    assert_eq!(said, ENGLISH.block("your-bot-typo"));
}

/// The commands that the program itself lists.
fn commands() -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_koigate"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // What goes on from the line above stands further to the right.
    let lines = lines.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    lines
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn it_names_every_command_and_no_other() {
    for page in BOTH {
        let named: BTreeSet<String> = page
            .spans()
            .into_iter()
            .filter_map(|span| span.strip_prefix("koigate "))
            .filter_map(|rest| rest.split(' ').next())
            .filter(|word| !word.starts_with('-'))
            .map(str::to_owned)
            .collect();
        assert_eq!(named, commands(), "{}", page.name);
    }
}

/// Line by line what the demo prints, numbers, addresses and folders aside.
#[test]
fn its_sample_of_the_demo_is_what_the_demo_prints() {
    fn shape(text: &str) -> Vec<String> {
        let shape = |word: &str| match word.contains(|c: char| c.is_ascii_digit()) {
            true => "#".to_owned(),
            false => word.to_owned(),
        };
        let line = |line: &str| line.split_whitespace().map(shape).collect::<Vec<_>>().join(" ");
        text.lines().map(line).collect()
    }
    let folder = Folder::new("docs");
    let demo = Command::new(env!("CARGO_BIN_EXE_koigate"))
        .args(["demo", "--once"])
        .env("TMPDIR", &folder.0)
        .output();
    let printed = String::from_utf8(demo.unwrap().stdout).unwrap();
    let printed = shape(&printed.replace(folder.0.to_str().unwrap(), "/tmp"));
    assert!(printed.len() > 20, "{printed:?}");
    // The sample goes on to what is printed by a demo that stays up.
    assert_eq!(shape(&ENGLISH.block("demo"))[..printed.len()], printed);
}

// === the merge ===

/// The example's services, in configured order: what each changes, and how its language spells it.
const SERVICES: [(&str, Spelling, &str, &str); 3] = [
    ("names", Spelling::Flask, "/result/节点名称/0", r#""HK 01""#),
    ("rate", Spelling::Python, "/result/倍率", "[1.0, 1.5]"),
    ("speed", Spelling::Node, "/result/平均速度/1", "3.25"),
];

fn merge_block(name: &str) -> String {
    ENGLISH.block(&format!("merge-{name}"))
}

#[test]
fn the_replies_are_what_those_languages_write() {
    for (name, spelling, place, value) in SERVICES {
        let mut document = json(merge_block("base"));
        document.set(place, json(value));
        assert_same(&json(merge_block(name)), &json(document.spelled(spelling)));
    }
}

#[test]
fn a_flat_merge_gives_what_it_says() {
    let mut merged = Value::Dict(Vec::new());
    for (name, ..) in SERVICES {
        for (member, value) in json(merge_block(name)).members() {
            let place = format!("/{member}");
            if merged.find(&place).is_none() {
                merged.set(&place, Value::Dict(Vec::new()));
            }
            merged.at_mut(&place).update(value);
        }
    }
    assert_same(&json(merge_block("flat")), &merged);
}

#[tokio::test]
async fn koigate_gives_what_it_says_to_the_byte() {
    let mut services = Vec::new();
    for (name, ..) in SERVICES {
        let body = merge_block(name);
        services.push(backend(name).replies(reply::json_body(body)).starts());
    }
    let together: Vec<_> = services.iter().collect();
    let gateway = gateway().asks_at_once(&together).starts().await;
    let answer = gateway.koipy().posts("/", merge_block("base").trim_end()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), merge_block("koigate").trim_end());
    gateway.stops().await;
}

// === what observers are told ===

/// The names and kinds of values, in whatever order.
fn shape(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let members = members.iter();
            let members: BTreeSet<_> = members
                .map(|(name, value)| format!("{name}: {}", shape(value)))
                .collect();
            format!("{members:?}")
        }
        Value::Array(elements) => format!("{:?}", elements.iter().map(shape).collect::<Vec<_>>()),
        Value::String(_) => "string".to_owned(),
        Value::Number(_) => "number".to_owned(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn its_notice_is_what_an_observer_is_told() {
    let shown: serde_json::Value = serde_json::from_str(&ENGLISH.block("told")).unwrap();
    let blacklist = backend("blacklist").rejects(403, "no").starts();
    let stats = backend("stats").starts();
    let gateway = gateway()
        .backends([&blacklist, &stats])
        .hook("onMessage", "chain = ['blacklist']\nobservers = ['stats']")
        .starts()
        .await;
    let document = shown["document"].to_string();
    gateway.koipy().posts("/onMessage", document).await;
    stats.was_asked(1).await;
    let told: serde_json::Value = serde_json::from_slice(&stats.request().body).unwrap();
    assert_eq!(shape(&told), shape(&shown));
    for same in ["hook", "verdict", "status", "decided_by", "document"] {
        assert_eq!(told[same], shown[same], "{same}");
    }
    gateway.stops().await;
}

// === metrics ===

#[tokio::test]
async fn its_alerts_ask_for_series_that_are_there() {
    let (a, b, c) = (
        backend("a").starts(),
        backend("b").starts(),
        backend("c").starts(),
    );
    let gateway = gateway()
        .asks(&a)
        .backends([&b, &c])
        .hook("shadowed", "chain = ['a']\nshadow = ['b']\nobservers = ['c']")
        .starts()
        .await;
    let served = gateway.metrics().await.text;
    let alerts = ENGLISH.blocks_in("promql");
    assert!(alerts.len() >= 5);
    for Block { text, .. } in alerts {
        assert_asks_for_what_is_there(&text, &served);
    }
    for page in BOTH {
        for name in page
            .words("koigate_")
            .into_iter()
            .filter(|name| *name != "koigate_core")
        {
            assert!(served.contains(&format!("\n{name}")), "{}: {name}", page.name);
        }
    }
    gateway.stops().await;
}

// === what the tests above are written with ===

/// A folder of a test's own, gone at its end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("{name}-{:08x}", fastrand::u32(..));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
