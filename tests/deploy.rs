//! What `deploy/` says of the program is so: every file of it names commands, places, metrics and ports that there
//! are. What the tools of systemd, Docker and Prometheus have to say of them is asked by `deploy/lint`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use koigate_config::{Color, Process};
use koigate_core::plan::Plan;
use serde::Deserialize;

use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::promql::assert_asks_for_what_is_there;

/// How the README starts it, in the foreground.
const RUN: &str = "koigate run --config /etc/koigate/koigate.toml";

/// A file of `deploy/`.
fn file(name: &str) -> String {
    let path = place(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// The program takes these arguments: what it can't read is refused before it comes to `--help`.
fn is_understood(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koigate"));
    let output = command.args(arguments).arg("--help").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "koigate {arguments:?}: {said}");
}

/// What a configuration says.
fn plan(text: &str) -> Plan {
    let loaded = koigate_config::parse(text, "koigate.toml", &Process);
    loaded
        .unwrap_or_else(|report| panic!("{}\n{text}", report.render(Color::Never)))
        .plan
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

// === systemd ===

/// The values of a directive of a unit, in order.
fn directives<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}

#[test]
fn the_service_runs_and_reloads_by_commands_that_there_are() {
    let unit = file("systemd/koigate.service");
    for (directive, expected) in [
        ("ExecStart", RUN),
        ("ExecReload", "koigate reload --config /etc/koigate/koigate.toml"),
    ] {
        let line = directives(&unit, directive).join("\n");
        // The second by way of another program.
        let (_, command) = line.split_once("/usr/local/bin/").unwrap();
        assert_eq!(command, expected, "{directive}");
        is_understood(&words(expected)[1..]);
    }
}

#[test]
fn the_socket_unit_has_the_configurations_own_addresses() {
    let Plan { server, admin, .. } = plan("[server]\n");
    let listen = server.listen.iter().map(ToString::to_string);
    let expected: Vec<_> = listen.chain([admin.listen.to_string()]).collect();
    assert_eq!(
        directives(&file("systemd/koigate.socket"), "ListenStream"),
        expected
    );
}

// === the image ===

/// The instructions of a Dockerfile: each a word and the rest, in one line.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let instruction = |line: &str| {
        let (word, rest) = line.split_once(' ')?;
        let rest: Vec<_> = rest.split_whitespace().collect();
        Some((word.to_owned(), rest.join(" ")))
    };
    joined.lines().filter_map(instruction).collect()
}

/// The last instruction of this kind, which is the one that counts.
fn last(instructions: &[(String, String)], word: &str) -> String {
    let found = instructions.iter().rev().find(|(first, _)| first == word);
    found.unwrap_or_else(|| panic!("no {word}")).1.clone()
}

/// The words of an instruction's exec form.
fn exec(rest: &str) -> Vec<String> {
    let (_, list) = rest.split_at(rest.find('[').unwrap());
    serde_json::from_str(list).unwrap()
}

#[test]
fn the_image_runs_and_checks_itself_by_commands_that_there_are() {
    let instructions = instructions(&file("docker/Dockerfile"));
    let mut started = exec(&last(&instructions, "ENTRYPOINT"));
    started.extend(exec(&last(&instructions, "CMD")));
    assert_eq!(started.join(" "), RUN);
    let checked = exec(&last(&instructions, "HEALTHCHECK"));
    assert_eq!(checked[..2], ["koigate", "health"]);
    for command in [started, checked] {
        let arguments: Vec<_> = command.iter().skip(1).map(String::as_str).collect();
        is_understood(&arguments);
    }
    assert_eq!(last(&instructions, "FROM"), "scratch");
    let user = last(&instructions, "USER");
    assert!(
        user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
        "{user}"
    );
    let port = format!(":{}", last(&instructions, "EXPOSE"));
    let listen = plan("[server]\n").server.listen[0].to_string();
    assert!(listen.ends_with(&port), "{listen} {port}");
}

// === compose ===

#[derive(Deserialize)]
struct Compose {
    services: BTreeMap<String, Service>,
    secrets: BTreeMap<String, Secret>,
    volumes: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Service {
    image: String,
    #[serde(default)]
    build: Option<Build>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    ports: Vec<String>,
    read_only: bool,
    cap_drop: Vec<String>,
    security_opt: Vec<String>,
    mem_limit: String,
}

#[derive(Deserialize)]
struct Build {
    context: String,
    dockerfile: String,
}

#[derive(Deserialize)]
struct Secret {
    file: String,
}

fn compose() -> Compose {
    serde_saphyr::from_str(&file("compose/compose.yaml")).unwrap()
}

#[test]
fn every_container_is_confined() {
    for (name, service) in compose().services {
        assert!(service.read_only, "{name}");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        assert!(service.mem_limit.ends_with('m'), "{name}");
        for port in service.ports {
            assert!(
                port.starts_with("127.0.0.1:"),
                "{name}: open to the internet at {port}"
            );
        }
    }
}

#[test]
fn what_the_containers_are_given_is_there() {
    let Compose {
        services,
        secrets,
        volumes,
    } = compose();
    let here = place("compose");
    for (name, service) in &services {
        for volume in &service.volumes {
            let source = volume.split(':').next().unwrap();
            let is_there = volumes.contains_key(source) || here.join(source).is_dir();
            assert!(is_there, "{name}: {volume}");
        }
        for secret in &service.secrets {
            assert!(secrets.contains_key(secret), "{name}: {secret}");
        }
        if let Some(Build { context, dockerfile }) = &service.build {
            assert!(here.join(context).join(dockerfile).is_file(), "{name}");
        }
        if service.image == "koigate" {
            is_understood(&service.command.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    // The reader makes each of them, and nobody commits one.
    for Secret { file } in secrets.values() {
        let folder = here.join(file).parent().unwrap().join(".gitignore");
        assert!(
            fs::read_to_string(folder)
                .unwrap()
                .lines()
                .any(|line| line == "*"),
            "{file}"
        );
    }
}

/// The configuration, with a token in the place of the file that only a container has.
fn configuration() -> String {
    let (text, token) = (file("compose/koigate/koigate.toml"), "a1".repeat(32));
    let mounted = format!("{{ file = \"{TOKEN}\" }}");
    assert!(text.contains(&mounted), "{text}");
    text.replace(&mounted, &format!("\"{token}\""))
}

/// Where Compose puts the secret that the file calls so.
const TOKEN: &str = "/run/secrets/admin-token";

#[test]
fn the_containers_reach_each_other() {
    let Compose { services, .. } = compose();
    let text = configuration();
    let plan = plan(&text);
    for url in text.split("\"http://").skip(1) {
        let (name, port) = url.split(['/', '"']).next().unwrap().split_once(':').unwrap();
        let command = services[name].command.join(" ");
        assert!(
            command.contains(&format!("--listen 0.0.0.0:{port}")),
            "{name}: {command}"
        );
    }
    let port = plan.server.listen[0].address().unwrap().port();
    for line in file("compose/compose.yaml")
        .lines()
        .filter(|line| line.contains("onMessage"))
    {
        assert!(line.ends_with(&format!(" http://koigate:{port}/")), "{line}");
    }
    let scraping = file("prometheus/prometheus.yml");
    assert!(scraping.contains(&format!("- targets: [\"koigate:{}\"]", plan.admin.listen.port())));
    assert!(scraping.contains(&format!("credentials_file: {TOKEN}\n")));
    for who in ["koigate", "prometheus"] {
        assert_eq!(services[who].secrets, ["admin-token"], "{who}");
    }
}

/// Of plain HTTP within a Compose network `check` warns, and of hooks taken from whoever is in it.
#[test]
fn its_configuration_is_usable() {
    let loaded = koigate_config::parse(&configuration(), "koigate.toml", &Process).unwrap();
    let codes: Vec<_> = loaded
        .warnings
        .findings()
        .iter()
        .map(koigate_config::Finding::code)
        .collect();
    assert_eq!(codes, ["KG114", "KG105"]);
}

// === Prometheus ===

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
}

#[tokio::test]
async fn its_alerts_ask_for_series_that_are_there_and_each_is_tried() {
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
    let Rules { groups } = serde_saphyr::from_str(&file("prometheus/koigate.rules.yml")).unwrap();
    let trials = file("prometheus/koigate.rules.test.yml");
    let rules: Vec<_> = groups.into_iter().flat_map(|group| group.rules).collect();
    assert!(rules.len() >= 10);
    for Rule { alert, expr } in rules {
        // `up` is Prometheus's own.
        if !expr.starts_with("up{") {
            assert_asks_for_what_is_there(&expr, &served);
        }
        let raised = format!("alertname: {alert}\n");
        assert!(trials.contains(&raised), "{alert} is raised in no trial");
    }
    gateway.stops().await;
}
