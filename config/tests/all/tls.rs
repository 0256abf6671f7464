//! Certificates and keys: what a right file becomes, and what is said of a wrong one.

use std::sync::LazyLock;

use crate::support::{Fixed, codes};
use koigate_config::{Color, Finding, Loaded, Report, describe, parse};
use koigate_core::plan::Certificates;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// Two certificates with their keys, the first valid from 2026-01-01 to 2027-01-01.
struct Made {
    cert: String,
    key: String,
    der: Vec<u8>,
    other_cert: String,
    other_key: String,
}

/// 2026-06-01, in days since 1970.
const DAY: u64 = 20_605;

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(vec!["koigate.example".to_owned()]).unwrap();
    let other_cert = params.self_signed(&other).unwrap().pem();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    let cert = params.self_signed(&key).unwrap();
    Made {
        der: cert.der().to_vec(),
        cert: cert.pem(),
        key: key.serialize_pem(),
        other_cert,
        other_key: other.serialize_pem(),
    }
});

/// A certificate and its key, for who reads a configuration that names some; and a day when it is valid.
pub(crate) fn identity() -> (&'static str, &'static str, u64) {
    (&MADE.cert, &MADE.key, DAY)
}

/// A folder of right files and wrong ones.
fn sources() -> Fixed {
    let Made {
        cert,
        key,
        der,
        other_cert,
        other_key,
    } = &*MADE;
    let head = cert.get(..cert.len() / 2).unwrap();
    let not_x509 = cert.replace("MII", "MAI");
    Fixed::default()
        .day(DAY)
        .file("conf/cert.pem", cert)
        .file("conf/key.pem", key)
        .file("conf/both.pem", format!("# ours\n{key}\n{cert}{other_cert}"))
        .file("conf/other.pem", other_cert)
        .file("conf/other-key.pem", other_key)
        .file("conf/cert.der", der)
        .file("conf/torn.pem", head)
        .file("conf/torn-key.pem", key.replace("END", "ND"))
        .file(
            "conf/half.pem",
            format!("{cert}{}", in_pem("CERTIFICATE", "ha!f")),
        )
        .file("conf/not-x509.pem", format!("{cert}{not_x509}"))
        .file("conf/empty.pem", "")
        .file("conf/locked.pem", key.replace("PRIVATE", "ENCRYPTED PRIVATE"))
        .file("conf/old-locked.pem", OLD_LOCKED)
        .file("conf/bad-key.pem", in_pem("PRIVATE KEY", "MAA="))
        .file("conf/huge.pem", vec![b'x'; 2 << 20])
}

/// As `openssl genrsa -aes128` of old wrote it.
const OLD_LOCKED: &str = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
    AAAA\n-----END RSA PRIVATE KEY-----\n";

fn in_pem(label: &str, base64: &str) -> String {
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn read(text: &str, sources: &Fixed) -> Result<Loaded, Report> {
    parse(text, "conf/koigate.toml", sources)
}

/// A backend with this below it, and above it `[defaults]` with that.
fn backend(own: &str, defaults: &str) -> String {
    format!("[hooks.x]\nchain = [\"a\"]\n[defaults]\n{defaults}\n[backends.a]\n{own}\n")
}

fn number(certificates: &Certificates) -> usize {
    let text = std::str::from_utf8(&certificates.0).unwrap();
    text.matches("-----BEGIN CERTIFICATE-----").count()
}

#[test]
fn callers_see_a_certificate() {
    let text = "[server]\ntls = { cert = \"both.pem\", key = \"both.pem\", client_ca = \"other.pem\" }\n[hooks.x]\n\
        chain = [\"a\"]\n[backends.a]\nurl = \"http://127.0.0.1/\"";
    let loaded = read(text, &sources()).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let tls = loaded.plan.server.tls.clone().unwrap();
    // As they were written, without the key in between; and the key without them.
    let unix = |text: &str| text.replace("\r\n", "\n");
    let chain = String::from_utf8(tls.identity.chain.0.to_vec()).unwrap();
    assert_eq!(chain, unix(&[&*MADE.cert, &*MADE.other_cert].concat()));
    assert_eq!(tls.identity.key.expose(), unix(&MADE.key));
    assert_eq!(tls.client_ca.as_ref().map(number), Some(1));
    assert!(describe(&loaded.plan).starts_with("server  https://127.0.0.1:8600/\n"));
    let shown = format!("{loaded:?}");
    assert!(!shown.contains("PRIVATE") && !shown.contains(MADE.key.lines().nth(1).unwrap()));
}

const HTTPS: &str = "url = \"https://a.example/\"";
const HTTP: &str = "url = \"http://127.0.0.1/\"";
const BOTH: &str = "tls = { ca = \"both.pem\", cert = \"cert.pem\", key = \"key.pem\" }";

/// How many certificates sign the backend's, and whether it is shown one.
type Expected = (Option<usize>, bool);

/// A backend's URL, what it has of its own, what it inherits; what becomes of that, and what is said of it.
#[rustfmt::skip]
const RIGHT: &[(&str, &str, &str, Expected, &str)] = &[
    (HTTPS, "", "", (None, false), ""),
    (HTTPS, BOTH, "", (Some(2), true), "trusted by its own ca alone, and shown a certificate\n"),
    (HTTPS, "", BOTH, (Some(2), true), "trusted by its own ca alone, and shown a certificate\n"),
    (HTTPS, "tls = { ca = \"other.pem\" }", BOTH, (Some(1), false), "trusted by its own ca alone\n"),
    (HTTPS, "[backends.a.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"", "", (None, true), "        shown a certificate\n"),
    (HTTPS, "tls = {}", BOTH, (None, false), ""),
    // What is plain has no use for it, and nobody has said that it should.
    (HTTP, "", BOTH, (None, false), ""),
    (HTTP, "tls = {}", BOTH, (None, false), ""),
    ("url = [\"http://127.0.0.1/\", \"https://a.example/\"]", "", BOTH, (Some(2), true), "trusted"),
];

#[test]
fn backends_and_what_they_inherit() {
    for (url, own, defaults, expected, words) in RIGHT {
        let text = backend(&format!("{url}\n{own}"), defaults);
        let loaded = read(&text, &sources()).unwrap_or_else(|report| panic!("{text}\n{report}"));
        let tls = &loaded.plan.backends[0].tls;
        let found = (tls.ca.as_ref().map(number), tls.identity.is_some());
        assert_eq!(found, *expected, "{text}");
        let described = describe(&loaded.plan);
        assert!(described.contains(words), "{described}");
        let is_said = described.contains("certificate") || described.contains("trusted");
        assert_eq!(is_said, !words.is_empty(), "{described}");
    }
}

/// What is written in `[backends.a]`, what is found, and what the reader is told.
#[rustfmt::skip]
const WRONG: &[(&str, &[&str], &str)] = &[
    ("tls = { cert = \"cert.pem\" }", &["KG238 7:16"], "Add `key` beside it"),
    ("tls = { key = \"key.pem\" }", &["KG238 7:15"], "Add `cert` beside it"),
    ("tls = { cert = \"cert.pem\", kee = \"key.pem\" }", &["KG010 7:28"], "Write `key`"),
    ("tls = { cert = \"cert.pem\", key = 5 }", &["KG011 7:34"], "takes a string"),
    ("tls = { client_ca = \"cert.pem\" }", &["KG010 7:9"], "unknown key `client_ca`"),
    ("tls = \"ca.pem\"", &["KG011 7:7"], "takes a table"),
    ("tls = { ca = \"missing.pem\" }", &["KG063 7:14"], "`missing.pem` can't be read"),
    ("tls = { ca = \"huge.pem\" }", &["KG231 7:14"], "`huge.pem` is larger"),
    ("tls = { ca = \"torn.pem\" }", &["KG232 7:14"], "from its line `-----BEGIN`"),
    ("tls = { ca = \"half.pem\" }", &["KG232 7:14"], "the PEM in `half.pem` is torn"),
    ("tls = { ca = \"empty.pem\" }", &["KG233 7:14"], "-----BEGIN CERTIFICATE-----"),
    ("tls = { ca = \"key.pem\" }", &["KG233 7:14"], "this is a private key"),
    ("tls = { ca = \"cert.der\" }", &["KG233 7:14"], "openssl x509 -inform der -in cert.der"),
    ("tls = { ca = \"not-x509.pem\" }", &["KG234 7:14"], "certificate 2 in `not-x509.pem`"),
    ("tls = { cert = \"not-x509.pem\", key = \"key.pem\" }", &["KG234 7:16"], "certificate 2"),
    ("tls = { cert = \"cert.pem\", key = \"empty.pem\" }", &["KG235 7:34"], "-----BEGIN PRIVATE KEY-----"),
    ("tls = { cert = \"cert.pem\", key = \"cert.pem\" }", &["KG235 7:34"], "this is a certificate"),
    ("tls = { cert = \"cert.pem\", key = \"cert.der\" }", &["KG235 7:34"], "openssl pkey -inform der"),
    ("tls = { cert = \"cert.pem\", key = \"locked.pem\" }", &["KG235 7:34"], "openssl pkey -in locked.pem"),
    ("tls = { cert = \"cert.pem\", key = \"old-locked.pem\" }", &["KG235 7:34"], "locked with a password"),
    ("tls = { cert = \"cert.pem\", key = \"torn-key.pem\" }", &["KG232 7:34"], "`torn-key.pem` is torn"),
    ("tls = { cert = \"cert.pem\", key = \"bad-key.pem\" }", &["KG236 7:34"], "ECDSA on P-256"),
    ("tls = { cert = \"cert.pem\", key = \"other-key.pem\" }", &["KG237 7:34"], "in `other-key.pem` is not that of the certificate in `cert.pem`"),
    ("tls = { cert = \"key.pem\", key = \"cert.pem\" }", &["KG233 7:16", "KG235 7:33"], "Name the key's file"),
    ("tls = { ca = \"\"\"-----BEGIN CERTIFICATE-----\ncanary\"\"\" }", &["KG230 7:14"], "its name belongs here"),
    ("tls = { cert = \"cert.pem\", key = \"-----BEGIN PRIVATE KEY-----canary\" }", &["KG230 7:34"], "key = \"****"),
];

/// The codes of what can be wrong with certificates and keys.
pub(crate) fn wrong() -> impl Iterator<Item = &'static str> {
    let found = WRONG.iter().flat_map(|(_, found, _)| *found);
    found.map(|at| &at[..5]).chain(["KG113", "KG239"])
}

#[test]
fn what_is_wrong_with_a_file() {
    for (tls, expected, words) in WRONG {
        let text = backend(&format!("url = \"https://a.example/\"\n{tls}"), "");
        let report = read(&text, &sources()).unwrap_err();
        let shown = report.render(Color::Never);
        assert_eq!(codes(&report), *expected, "{tls}\n{shown}");
        assert!(shown.contains(words), "{tls}\n{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn wherever_it_is_written() {
    for (text, expected) in [
        (
            backend("url = \"http://127.0.0.1/\"\ntls = { ca = \"cert.pem\" }", ""),
            vec!["KG239 7:7"],
        ),
        // Where the URL is wrong nobody knows.
        (
            backend("url = [\"http://a/\", \"a\"]\ntls = { ca = \"cert.pem\" }", ""),
            vec!["KG040 6:21"],
        ),
        // Once, whoever inherits it.
        (
            backend(
                "url = \"https://a/\"\n[backends.b]\nurl = \"https://b/\"",
                "tls = { ca = \"missing\", key = \"key.pem\" }",
            ),
            vec!["KG063 4:14", "KG238 4:31"],
        ),
        ("[server]\ntls = {}".to_owned(), vec!["KG013 2:7", "KG013 2:7"]),
        ("[server.tls]\ncert = \"cert.pem\"".to_owned(), vec!["KG013 1:1"]),
        (
            "[server.tls]\ncrt = \"cert.pem\"\nkey = 5".to_owned(),
            vec!["KG010 2:1", "KG011 3:7"],
        ),
        (
            "[server]\ntls = { cert = \"cert.pem\", key = \"other-key.pem\", client_ca = \"empty.pem\" }"
                .to_owned(),
            vec!["KG237 2:34", "KG233 2:63"],
        ),
    ] {
        assert_eq!(codes(&read(&text, &sources()).unwrap_err()), expected, "{text}");
    }
}

/// With TLS a token isn't read by others, and who needs a certificate is known.
#[test]
fn an_address_that_other_machines_reach() {
    const HERE: &str = "\n[hooks.x]\nchain = [\"a\"]\n[backends.a]\nurl = \"http://127.0.0.1/\"";
    for (server, expected) in [
        (
            "tls = { cert = \"cert.pem\", key = \"key.pem\" }",
            vec!["KG114 2:10"],
        ),
        (
            "tls = { cert = \"cert.pem\", key = \"key.pem\" }\nauth = { token = \"0123456789abcdef\" }",
            vec![],
        ),
        (
            "tls = { cert = \"cert.pem\", key = \"key.pem\", client_ca = \"other.pem\" }",
            vec![],
        ),
    ] {
        let text = format!("[server]\nlisten = \"0.0.0.0:1\"\n{server}{HERE}");
        assert_eq!(
            codes(&read(&text, &sources()).unwrap().warnings),
            expected,
            "{server}"
        );
    }
}

#[test]
fn callers_in_words() {
    const TLS: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\", client_ca = \"other.pem\" }";
    const AUTH: &str = "auth = { token = \"canary\" }";
    const ALLOW: &str = "allow = [\"10.0.0.0/8\", \"::1\"]";
    for (server, expected) in [
        ([AUTH, "", ""], Some("for whoever has a token")),
        (
            [AUTH, ALLOW, ""],
            Some("for whoever has a token from 10.0.0.0/8, ::1"),
        ),
        ([AUTH, "", TLS], Some("for whoever has a token and a certificate")),
        (
            ["", ALLOW, TLS],
            Some("for whoever has a certificate from 10.0.0.0/8, ::1"),
        ),
        (["", ALLOW, ""], Some("for callers from 10.0.0.0/8, ::1")),
        ([""; 3], None),
    ] {
        let text = format!("[server]\n{}\n", server.join("\n"));
        let described = describe(&read(&text, &sources()).unwrap().plan);
        let line = described.lines().nth(1).unwrap().trim();
        assert_eq!(
            line,
            expected.unwrap_or("bodies up to 32MiB, 1024 hooks at once"),
            "{described}"
        );
    }
}

/// The certificate is valid from 2026-01-01 to 2027-01-01.
#[test]
fn a_certificate_that_others_will_not_accept() {
    let text = backend(
        "url = \"https://a.example/\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }",
        "",
    );
    for (day, expected) in [
        (
            20_453,
            Some("the certificate in `cert.pem` is not valid before 2026-01-01"),
        ),
        (20_455, None),
        (20_803, None),
        (
            20_806,
            Some("the certificate in `cert.pem` expires on 2027-01-01"),
        ),
        (
            20_820,
            Some("the certificate in `cert.pem` expired on 2027-01-01"),
        ),
    ] {
        let warnings = read(&text, &sources().day(day)).unwrap().warnings;
        let found: Vec<String> = warnings.findings().iter().map(Finding::message).collect();
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            Vec::from_iter(expected),
            "{day}"
        );
        if expected.is_some() {
            assert_eq!(codes(&warnings), ["KG113 7:16"]);
        }
    }
}
