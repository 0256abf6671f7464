//! JSONTestSuite by Nicolas Seriot (MIT): `suite.txt` has its parsing cases, one a line, name and bytes, where
//! `\5c` stands for the byte 0x5C. Three cases are built below, since they are long.

use bytes::Bytes;
use koigate_core::json::diff::shape;
use koigate_core::json::{Document, SyntaxError};

use crate::parse::parse;

const SUITE: &str = include_str!("suite.txt");

/// What the suite says no parser may accept, and Python does, so that we do.
const PYTHONS_OWN: [&str; 3] = ["n_number_NaN", "n_number_infinity", "n_number_minus_infinity"];

/// What the suite leaves open and we refuse: bytes that are not UTF-8. All else that it leaves open we accept:
/// numbers of any size, halves of surrogate pairs, a BOM.
const NOT_UTF8: [&str; 13] = [
    "i_string_UTF-16LE_with_BOM",
    "i_string_UTF-8_invalid_sequence",
    "i_string_UTF8_surrogate_U+D800",
    "i_string_invalid_utf-8",
    "i_string_iso_latin_1",
    "i_string_lone_utf8_continuation_byte",
    "i_string_not_in_unicode_range",
    "i_string_overlong_sequence_2_bytes",
    "i_string_overlong_sequence_6_bytes",
    "i_string_overlong_sequence_6_bytes_null",
    "i_string_truncated-utf-8",
    "i_string_utf16BE_no_BOM",
    "i_string_utf16LE_no_BOM",
];

fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        if first == b'\\' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&others[..2]).unwrap(), 16).unwrap());
            rest = &others[2..];
        } else {
            bytes.push(first);
            rest = others;
        }
    }
    bytes
}

fn check(name: &str, bytes: &[u8], accepted: bool) {
    assert_eq!(
        Document::parse(Bytes::copy_from_slice(bytes)).is_ok(),
        accepted,
        "{name}"
    );
    assert_eq!(shape(bytes).is_ok(), accepted, "{name}");
    assert_eq!(parse(bytes).is_some(), accepted, "{name}: the tests' own parser");
}

#[test]
fn json_test_suite() {
    let mut cases = 0;
    for line in SUITE.lines() {
        let (name, bytes) = line.split_once('\t').unwrap();
        let accepted = match &name[..1] {
            "y" => true,
            "n" => PYTHONS_OWN.contains(&name),
            _ => !NOT_UTF8.contains(&name),
        };
        let bytes = unescape(bytes);
        check(name, &bytes, accepted);
        // With room behind it, so that the ways for many bytes at a time see it too.
        check(name, &[&bytes[..], &[b' '; 100]].concat(), accepted);
        cases += 1;
    }
    assert_eq!(cases, 315);
}

#[test]
fn nesting() {
    let arrays = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    let objects = |n: usize| [b"{\"a\":".repeat(n), b"1".to_vec(), vec![b'}'; n]].concat();
    check("128 arrays", &arrays(128), true);
    check("129 arrays", &arrays(129), false);
    check("128 objects", &objects(128), true);
    check("129 objects", &objects(129), false);
    check("i_structure_500_nested_arrays", &arrays(500), false);
    check("n_structure_100000_opening_arrays", &vec![b'['; 100_000], false);
    check("n_structure_open_array_object", &b"[{\"\":".repeat(50_000), false);
}

#[test]
fn errors_name_their_place() {
    let parse = |bytes: &'static [u8]| Document::parse(Bytes::from_static(bytes)).unwrap_err();
    assert_eq!(parse(b"{\"a\":}"), SyntaxError::Malformed { at: 5 });
    assert_eq!(parse(b"[1,"), SyntaxError::Malformed { at: 3 });
    assert_eq!(parse(b"\"\xff\""), SyntaxError::NotUtf8 { at: 1 });
    let deep = Document::parse(vec![b'['; 200].into()).unwrap_err();
    assert_eq!(deep, SyntaxError::TooDeep { at: 128 });
}
