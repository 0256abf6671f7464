use proptest::prelude::*;

use super::*;

fn rebuilt_text(value: &[u8]) -> String {
    String::from_utf8(rebuilt(&Bytes::copy_from_slice(value)).to_vec()).unwrap()
}

#[test]
fn plain_values_pass_as_they_came() {
    let unchanged = |value: &str, name: Option<&str>| {
        assert_eq!(rebuilt_text(value.as_bytes()), value);
        assert_eq!(file_name(value.as_bytes()).as_deref(), name, "{value}");
    };
    unchanged("attachment", None);
    unchanged("ATTACHMENT;FILENAME=a.txt", Some("a.txt"));
    unchanged("attachment; filename=\"result 1.csv\"", Some("result 1.csv"));
    unchanged("inline; filename=\"it's.png\"; size=12", Some("it's.png"));
    unchanged("attachment; filename=\".env\"", Some(".env"));
    unchanged(
        "attachment; filename=\"__.txt\"; filename*=utf-8''%E8%8A%82%E7%82%B9.txt",
        Some("节点.txt"),
    );
    unchanged("attachment; filename*=UTF-8''a%20b.txt", Some("a b.txt"));
}

fn check(value: &[u8], expected: &str) {
    assert_eq!(rebuilt_text(value), expected, "{}", value.escape_ascii());
}

fn named(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}

#[test]
fn unsafe_names_are_written_anew() {
    // Raw UTF-8, and bytes that are none.
    check(
        "attachment; filename=\"节点.txt\"".as_bytes(),
        "attachment; filename=\"__.txt\"; filename*=UTF-8''%E8%8A%82%E7%82%B9.txt",
    );
    check(
        b"attachment; filename=\"caf\xe9.txt\"",
        "attachment; filename=\"caf_.txt\"; filename*=UTF-8''caf%C3%A9.txt",
    );

    // Lines, paths, NUL, control characters.
    check(
        b"attachment; filename=\"a\r\nSet-Cookie: b.txt\"",
        &named("aSet-Cookie: b.txt"),
    );
    check(
        b"attachment; filename*=UTF-8''a%0D%0Ab%00%7F.txt",
        &named("ab.txt"),
    );
    check(b"attachment; filename=\"../../etc/passwd\"", &named("passwd"));
    check(b"attachment; filename=\"C:\\dir\\c.txt\"", &named("c.txt"));
    check(b"attachment; filename*=UTF-8''..%2F..%5Cx.txt", &named("x.txt"));
    check(b"attachment; filename=\"..\"", "attachment");
    check(b"attachment; filename=\"dir/\"", "attachment");
    check(b"inline; filename=\"\"", "inline");
    check(b"inline; filename=\" a. . \"", "inline; filename=\"a\"");
    check(
        "attachment; filename=\"\u{202e}gpj.exe\"".as_bytes(),
        &named("gpj.exe"),
    );

    // A safe name beside an unsafe one: simple readers take the unsafe one.
    check(
        b"attachment; filename=\"../x\"; filename*=UTF-8''ok.txt",
        &named("ok.txt"),
    );
    check(
        b"attachment; filename=ok.txt; filename=\"../x\"",
        &named("ok.txt"),
    );
}

#[test]
fn names_that_only_a_simple_reader_finds_are_dropped() {
    check(b"attachment; x-filename=\"../a\"", "attachment");
    check(b"inline;\"FileName=\"a\\\"b\"", "inline");
    check(b"attachment; x=\"filename=../a\"", "attachment");
    check(b"filename=\"../a\"", "attachment");
    check(
        b"attachment; x=\"filename=../a\"; filename=ok.txt",
        &named("ok.txt"),
    );
    check(b"attachment; filename=filename.txt", &named("filename.txt"));
}

#[test]
fn broken_values_are_written_anew() {
    // Quotes.
    let quoted = "attachment; filename=\"a'b.txt\"; filename*=UTF-8''a%22b.txt";
    check(b"attachment; filename=\"a\\\"b.txt\"", quoted);
    check(b"attachment; filename=\"a\"b.txt\"", quoted);
    check(b"attachment; filename=\"a.txt", &named("a.txt"));
    check(b"attachment; filename=a b.txt", &named("a b.txt"));

    // Extended names that can't be read leave the plain one.
    check(
        b"attachment; filename=\"a.txt\"; filename*=UTF-8''%FF",
        &named("a.txt"),
    );
    check(
        b"attachment; filename=\"a.txt\"; filename*=nonsense''b",
        &named("a.txt"),
    );
    check(
        b"attachment; filename=\"a.txt\"; filename*=b.txt",
        &named("a.txt"),
    );
    check(b"attachment; filename*=gbk''%BD%DA\xff", "attachment");
    check(b"attachment; filename*=\"UTF-8''a%2Fb.txt\"", &named("b.txt"));

    // Types.
    check(b"form-data; filename=\"../a\"", &named("a"));
    check(b"\xff", "attachment");
    check(b"", "");
}

#[test]
fn long_names_are_cut_at_a_character_and_keep_their_extension() {
    let check_cut = |name: &str, expected: &str| {
        let value = format!("attachment; filename=\"{name}\"");
        assert_eq!(file_name(value.as_bytes()).as_deref(), Some(expected));
    };
    check_cut(
        &format!("{}.png", "a".repeat(10_000)),
        &format!("{}.png", "a".repeat(251)),
    );
    check_cut(&"节".repeat(10_000), &"节".repeat(85));
    check_cut(
        &format!("{}.txt", "节".repeat(100)),
        &format!("{}.txt", "节".repeat(83)),
    );
    check_cut(
        &format!("a.{}", "b".repeat(300)),
        &format!("a.{}", "b".repeat(253)),
    );
    check_cut(&format!("{}. x", "a".repeat(254)), &"a".repeat(254));
}

/// Values near the grammar, and any bytes.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let near = "(attachment|inline|x)?;? ?(filename|filename\\*)=(\"|UTF-8''|)[ -~\r\n\0节é\"\\\\/.%0-9;]{0,300}(\"|; filename=\"?[a-z./\\\\\"]{0,9}\"?)?";
    prop_oneof![
        near.prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..300)
    ]
}

proptest! {
    /// A value that leaves is one line of ASCII with a safe name, means the name that was read from the
    /// original, and would pass as it is.
    #[test]
    fn a_rebuilt_value_is_safe_and_stays(value in values()) {
        let value = Bytes::from(value);
        let out = rebuilt(&value);
        prop_assert!(out.iter().all(|b| matches!(b, b' '..=b'~')), "{out:?}");
        prop_assert!(out.len() <= MAX_VALUE);
        prop_assert_eq!(file_name(&out), file_name(&value));
        prop_assert_eq!(rebuilt(&out), out.clone());
        let names = Names::read(&out);
        for name in [names.plain, names.extended].into_iter().flatten() {
            prop_assert!(name.len() <= MAX_NAME);
            prop_assert!(!name.contains(['/', '\\']) && !name.chars().any(char::is_control), "{name:?}");
            prop_assert!(!name.trim_end_matches('.').is_empty());
        }
    }
}
