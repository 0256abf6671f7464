//! What the README says is true.

use std::collections::BTreeSet;
use std::process::Command;

use koigate_config::{Color, Process};
use koigate_core::plan::Plan;

const README: &str = include_str!("../README.md");

/// The code blocks of a language, without the indentation of the list that they stand in.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == format!("```{language}") {
            let indent = line.len() - line.trim_start().len();
            let body = lines
                .by_ref()
                .take_while(|line| !line.trim_start().starts_with("```"));
            blocks.push(
                body.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n")
                    .collect(),
            );
        }
    }
    blocks
}

fn plan(text: &str) -> Plan {
    let loaded = koigate_config::parse(text, "README.md", &Process);
    loaded
        .unwrap_or_else(|report| panic!("{}\n{text}", report.render(Color::Never)))
        .plan
}

#[test]
fn its_configuration_is_one_without_a_flaw() {
    let [text] = &blocks("toml")[..] else {
        panic!("one block")
    };
    let loaded = koigate_config::parse(text, "README.md", &Process).unwrap();
    assert!(
        loaded.warnings.is_empty(),
        "{}",
        loaded.warnings.render(Color::Never)
    );
}

#[test]
fn koipy_gets_one_and_the_same_url_three_times_and_it_is_ours() {
    let [yaml] = &blocks("yaml")[..] else {
        panic!("one block")
    };
    let [toml] = &blocks("toml")[..] else {
        panic!("one block")
    };
    let url = format!("http://{}/", plan(toml).server.listen[0]);
    let expected = ["callbacks:".to_owned()]
        .into_iter()
        .chain(koigate_core::hook::KNOWN.map(|hook| format!("  {hook}: {url}")))
        .collect::<Vec<_>>();
    assert_eq!(yaml.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn every_command_it_names_exists() {
    let named: BTreeSet<&str> = README
        .split("koigate ")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .next()
        })
        .filter(|word| !word.is_empty() && !word.starts_with('-'))
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    for command in named {
        let help = Command::new(env!("CARGO_BIN_EXE_koigate"))
            .args([command, "--help"])
            .output()
            .unwrap();
        assert!(help.status.success(), "koigate {command}");
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
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{:08x}", fastrand::u32(..)));
    std::fs::create_dir(&folder).unwrap();
    let demo = Command::new(env!("CARGO_BIN_EXE_koigate"))
        .args(["demo", "--once"])
        .env("TMPDIR", &folder)
        .output();
    let printed = String::from_utf8(demo.unwrap().stdout).unwrap();
    let [_, sample, ..] = &blocks("text")[..] else {
        panic!("two blocks: a drawing, and the sample")
    };
    let printed = shape(&printed.replace(folder.to_str().unwrap(), "/tmp"));
    std::fs::remove_dir_all(&folder).unwrap();
    // The sample goes on to what is printed by a demo that stays up.
    assert_eq!(shape(sample)[..printed.len()], printed);
}

/// A configuration that spells every default of the table reads as one that spells none.
#[test]
fn its_table_of_defaults_is_right() {
    let minimal = "[backends.NAME]\nurl = \"http://127.0.0.1:9/\"\n[hooks.onMessage]\nchain = [\"NAME\"]\n";
    let (mut server, mut backend, mut hook) = (String::new(), String::new(), String::new());
    let mut table = &mut server;
    let mut spelled = 0;
    for row in README.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let (key, default) = (cells[0], cells[1]);
        match key {
            "backends.NAME.url" => table = &mut backend,
            "hooks.NAME.chain" => table = &mut hook,
            _ => {}
        }
        // A default in words, or that of another key, is for people.
        let is_toml = default.starts_with(['"', '[']) || default.parse::<u64>().is_ok() || default == "false";
        let is_key = key.starts_with("….")
            || ["server.", "admin.", "log."]
                .iter()
                .any(|side| key.starts_with(side));
        if is_toml && is_key {
            *table += &format!("{} = {default}\n", key.trim_start_matches("…."));
            spelled += 1;
        }
    }
    let explicit = minimal
        .replace("[backends.NAME]", &format!("{server}[backends.NAME]"))
        .replace("[hooks.onMessage]", &format!("{backend}[hooks.onMessage]"))
        + &hook;
    assert!(spelled >= 18, "{spelled}: {explicit}");
    assert_eq!(
        format!("{:?}", plan(&explicit)),
        format!("{:?}", plan(minimal)),
        "{explicit}"
    );
}
