//! Replies as tables: fed whole, a byte at a time, and cut anywhere, they have one meaning.

mod codings;
mod room;

use bytes::BufMut as _;
use bytes::Bytes;
use proptest::prelude::*;

use self::codings::gzip;
use super::*;

/// The `max_reply` of these tests.
const MAX: usize = 100_000;

/// What became of a reply.
type Outcome = Result<Progress, Failure>;

/// Feeds a reply whose bytes come in these pieces, after which the connection ends unless the reply is whole.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    feed(Decoder::new(MAX, None), pieces)
}

fn feed<'a>(mut decoder: Decoder<'_>, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut progress = Progress::More;
    for piece in pieces {
        match &mut progress {
            Progress::More => progress = decoder.feed(piece)?,
            Progress::Endless => {}
            // The connection is looked at before it is used again, and this is what it would find.
            Progress::Whole(whole) if !piece.is_empty() => whole.then = Then::Close,
            Progress::Whole(_) => {}
        }
    }
    match progress {
        Progress::More => decoder.close().map(Progress::Whole),
        other => Ok(other),
    }
}

/// The same through [`Decoder::space`] wherever it is offered.
fn decode_in_place(mut bytes: &[u8]) -> Outcome {
    let mut decoder = Decoder::new(MAX, None);
    loop {
        let progress = if let Some(mut space) = decoder.space(0) {
            let length = space.remaining_mut().min(bytes.len()).min(1000);
            let (front, rest) = bytes.split_at(length);
            bytes = rest;
            space.put_slice(front);
            if length == 0 {
                return decoder.close().map(Progress::Whole);
            } else {
                decoder.filled(length)?
            }
        } else {
            let Some((front, rest)) = bytes.split_first() else {
                return decoder.close().map(Progress::Whole);
            };
            bytes = rest;
            decoder.feed(std::slice::from_ref(front))?
        };
        match progress {
            Progress::More => {}
            Progress::Whole(mut whole) => {
                if !bytes.is_empty() {
                    whole.then = Then::Close;
                }
                return Ok(Progress::Whole(whole));
            }
            Progress::Endless => return Ok(progress),
        }
    }
}

/// The same a byte at a time, where one goes on with the body at each byte of it that another has begun.
fn decode_in_turns(bytes: &[u8]) -> Outcome {
    let mut last = LastHead::default();
    let mut decoder = Decoder::new(MAX, None).after(&mut last);
    for (index, byte) in bytes.iter().enumerate() {
        match decoder.feed(std::slice::from_ref(byte))? {
            Progress::More => {}
            Progress::Whole(mut whole) => {
                if index + 1 < bytes.len() {
                    whole.then = Then::Close;
                }
                return Ok(Progress::Whole(whole));
            }
            Progress::Endless => return Ok(Progress::Endless),
        }
        if decoder.is_large(1) {
            let body = decoder.take_body().expect("there is one");
            assert_eq!(decoder.feed(b"x"), Ok(Progress::More), "it is over here");
            assert!(decoder.take_body().is_none());
            decoder = body;
        }
    }
    decoder.close().map(Progress::Whole)
}

#[track_caller]
fn outcome(bytes: &[u8]) -> Outcome {
    let whole = decode(std::iter::once(bytes));
    assert_eq!(decode(bytes.chunks(1)), whole, "a byte at a time");
    assert_eq!(decode_in_place(bytes), whole, "in place");
    assert_eq!(decode_in_turns(bytes), whole, "in turns");
    whole
}

/// Checks a reply that is used: its status, its body, and what becomes of the connection.
#[track_caller]
fn check(bytes: impl AsRef<[u8]>, status: u16, body: impl AsRef<[u8]>, then: Then) {
    let bytes = bytes.as_ref();
    let shown = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
    match outcome(bytes) {
        Ok(Progress::Whole(whole)) => {
            assert_eq!(whole.reply.status, status, "{shown}");
            assert_eq!(whole.reply.body, body.as_ref(), "{shown}");
            assert_eq!(whole.then, then, "{shown}");
        }
        other => panic!("{shown}: {other:?}"),
    }
}

/// Checks a reply that is not used.
#[track_caller]
fn check_fails(bytes: impl AsRef<[u8]>, kind: FailureKind) {
    let bytes = bytes.as_ref();
    let shown = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
    match outcome(bytes) {
        Err(failure) => assert_eq!(failure.kind, kind, "{shown}"),
        Ok(progress) => panic!("{shown}: {progress:?}"),
    }
}

#[test]
fn used_and_the_connection_again() {
    use Then::Reuse;
    check("HTTP/1.1 204 No Content\r\n\r\n", 204, "", Reuse);
    check("HTTP/1.1 204\r\n\r\n", 204, "", Reuse);
    check("HTTP/1.1 204 \r\n\r\n", 204, "", Reuse);
    check("HTTP/1.1 204 No\nServer: x\n\n", 204, "", Reuse);
    check("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", 204, "", Reuse);
    check("HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", Reuse);
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", Reuse);
    check("HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}", 200, "{}", Reuse);
    check(
        "HTTP/1.1 200 OK\r\nContent-Length:  002 \r\n\r\n{}",
        200,
        "{}",
        Reuse,
    );
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", Reuse);
    check(
        "HTTP/1.1 403 \u{62d2}\u{7edd}\r\nContent-Length: 1\r\n\r\nx",
        403,
        "x",
        Reuse,
    );
    check(
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        302,
        "",
        Reuse,
    );
    check("HTTP/1.1 600 ?\r\nContent-Length: 1\r\n\r\nx", 600, "x", Reuse);
    check("HTTP/1.1 999 ?\r\nContent-Length: 1\r\n\r\nx", 999, "x", Reuse);
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        200,
        "a",
        Reuse,
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nT: v\r\n\r\n",
        200,
        "",
        Reuse,
    );
    check(
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
        200,
        "x",
        Reuse,
    );
    check(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, upgrade\r\nContent-Length: 1\r\n\r\nx",
        200,
        "x",
        Reuse,
    );
}

#[test]
fn used_and_the_connection_closed() {
    use Then::Close;
    check("HTTP/1.0 204 No Content\r\n\r\n", 204, "", Close);
    check("HTTP/1.0 200 OK\r\n\r\nuntil close", 200, "until close", Close);
    check("HTTP/1.1 200 OK\r\n\r\n", 200, "", Close);
    check(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nuntil close",
        200,
        "until close",
        Close,
    );
    check("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", 204, "", Close);
    check("HTTP/1.1 204 No\r\nConnection: x , CLOSE\r\n\r\n", 204, "", Close);
    check(
        "HTTP/1.1 204 No\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
        204,
        "",
        Close,
    );
    check("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc", 204, "", Close);
    check("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", 204, "", Close);
    check(
        "HTTP/1.1 204 No\r\nContent-Length: 999999999\r\n\r\n",
        204,
        "",
        Close,
    );
    check(
        "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        204,
        "",
        Close,
    );
    check("HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 204, "", Close);
    check("HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", 304, "", Close);
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef",
        200,
        "abc",
        Close,
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\r\n",
        200,
        "abc",
        Close,
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
        200,
        "",
        Close,
    );
}

#[test]
fn chunks_where_another_length_stands() {
    use Then::Close;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        200,
        "a",
        Close,
    );
    check(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        200,
        "a",
        Close,
    );
}

#[test]
fn interim_answers() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    check(
        format!("HTTP/1.1 100 Continue\r\n\r\n{last}"),
        200,
        "x",
        Then::Reuse,
    );
    check(
        format!("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 7\r\n\r\n{last}"),
        200,
        "x",
        Then::Reuse,
    );
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(MAX_INTERIM as usize);
    check(format!("{interim}{last}"), 200, "x", Then::Reuse);
    let endless = format!("{interim}HTTP/1.1 100 Continue\r\n\r\n{last}");
    assert_eq!(outcome(endless.as_bytes()), Ok(Progress::Endless));
    check_fails("HTTP/1.1 100 Continue\r\n\r\n", FailureKind::Reset);
    check_fails(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        FailureKind::Protocol,
    );
}

#[test]
fn cut_short() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: v\r\n\r",
    ] {
        for length in 0..bytes.len() {
            check_fails(&bytes[..length], FailureKind::Reset);
        }
    }
}

#[test]
fn garbage() {
    for bytes in [
        "garbage",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 000 Low\r\nbad header\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200 OK\x01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : space before the colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: folded\r\n line\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: nul\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: empty name\r\n\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "<!doctype html><html>",
    ] {
        check_fails(bytes, FailureKind::Protocol);
    }
}

#[test]
fn framing_that_two_could_read_differently() {
    for header in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1, 1",
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 0x1",
        "Content-Length: 1 1",
        "Content-Length:",
        "Content-Length: one",
        "Content-Length: 18446744073709551616",
        "Content-Length: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding:",
        "Content-Encoding: br",
        "Content-Encoding: gzip, gzip",
        "Content-Encoding: gzip\r\nContent-Encoding: gzip",
    ] {
        check_fails(
            format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\nx"),
            FailureKind::Protocol,
        );
    }
    check_fails(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        FailureKind::Protocol,
    );
}

#[test]
fn limits_of_the_head() {
    let end = "Content-Length: 1\r\n\r\nx";
    let lines = |count: usize| format!("HTTP/1.1 200 OK\r\n{}{end}", "A: b\r\n".repeat(count - 1));
    check(lines(MAX_LINES), 200, "x", Then::Reuse);
    check_fails(lines(MAX_LINES + 1), FailureKind::Protocol);

    let size = |bytes: usize| {
        let padding = "x".repeat(bytes - "HTTP/1.1 200 OK\r\nA: \r\n".len() - (end.len() - 1));
        format!("HTTP/1.1 200 OK\r\nA: {padding}\r\n{end}")
    };
    check(size(MAX_HEAD), 200, "x", Then::Reuse);
    check_fails(size(MAX_HEAD + 1), FailureKind::Protocol);
    // What is no reply is none, however large, and however it is cut.
    for large in [lines(MAX_LINES + 1), size(MAX_HEAD + 1)] {
        check_fails(large.replace("200 OK", "001 OK"), FailureKind::Protocol);
    }
    // A head without end is refused at its limit, not waited for.
    check_fails(&size(2 * MAX_HEAD)[..MAX_HEAD + 1], FailureKind::Protocol);
    check_fails(
        "HTTP/1.1 200 ".to_owned() + &"x".repeat(MAX_HEAD),
        FailureKind::Protocol,
    );
}

#[test]
fn limits_of_the_body() {
    let body = "x".repeat(MAX + 1);
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX + 1);
    check_fails(&announced, FailureKind::TooLarge);
    check_fails(
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        FailureKind::TooLarge,
    );
    check(
        format!("HTTP/1.1 200 OK\r\nContent-Length: {MAX}\r\n\r\n{}", &body[1..]),
        200,
        &body[1..],
        Then::Reuse,
    );
    check(
        format!("HTTP/1.1 200 OK\r\n\r\n{}", &body[1..]),
        200,
        &body[1..],
        Then::Close,
    );
    check_fails(format!("HTTP/1.1 200 OK\r\n\r\n{body}"), FailureKind::TooLarge);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_fails(
        format!("{chunked}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
        FailureKind::TooLarge,
    );
    check_fails(
        format!("{chunked}ffffffffffffffff\r\n{body}"),
        FailureKind::TooLarge,
    );
}

#[test]
fn headers_that_are_kept() {
    let reply = |header: &str| {
        let bytes = format!("HTTP/1.1 200 OK\r\n{header}Content-Length: 0\r\n\r\n");
        let Ok(Progress::Whole(whole)) = outcome(bytes.as_bytes()) else {
            panic!("{header}");
        };
        (whole.reply.content_type, whole.reply.content_disposition)
    };
    let some = |value: &'static [u8]| Some(Bytes::from_static(value));
    assert_eq!(reply(""), (None, None));
    assert_eq!(reply("X-Other: x\r\n"), (None, None));
    assert_eq!(reply("CONTENT-TYPE:\tImage/PNG \r\n"), (some(b"Image/PNG"), None));
    assert_eq!(reply("Content-Type:\r\n"), (some(b""), None));
    assert_eq!(
        reply("Content-Type: a/b\r\nContent-Type: c/d\r\n"),
        (some(b"a/b"), None)
    );
    assert_eq!(
        reply("content-disposition: attachment; filename=\"\u{8282}.txt\"\r\n").1,
        some("attachment; filename=\"\u{8282}.txt\"".as_bytes())
    );
}

#[test]
fn a_body_is_large_by_what_is_missing_or_has_come() {
    let head = "HTTP/1.1 200 OK\r\n";
    for (fed, least, is_large) in [
        (format!("{head}Content-Length: 10\r\n"), 1, false),
        (format!("{head}Content-Length: 10\r\n\r\n"), 10, true),
        (format!("{head}Content-Length: 10\r\n\r\n"), 11, false),
        (format!("{head}Content-Length: 10\r\n\r\n0123"), 7, false),
        (format!("{head}Content-Length: 10\r\n\r\n012345"), 6, true),
        (format!("{head}\r\n012345"), 6, true),
        (format!("{head}\r\n012345"), 7, false),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\nfff\r\n0123"),
            4,
            true,
        ),
        (
            format!("{head}Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n"),
            10,
            true,
        ),
    ] {
        let mut decoder = Decoder::new(MAX, None);
        assert_eq!(decoder.feed(fed.as_bytes()), Ok(Progress::More));
        assert_eq!(decoder.is_large(least), is_large, "{fed:?} {least}");
    }
}

#[test]
fn memory_follows_what_has_come() {
    let mut content = Content::new(head::Coding::Identity, Some(1 << 40), 1 << 41).unwrap();
    let space = content.space(1 << 40).unwrap();
    assert!(space.remaining_mut() <= 64 * 1024, "{}", space.remaining_mut());
}

// === properties ===

/// Parts that replies are made of, good and bad.
fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.0 500\r\n",
            "HTTP/1.1 204 No Content\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: deflate\r\n",
            "Connection: close\r\n",
            "Content-Type: application/json\r\n",
            "\r\n",
            "\n",
            "hello",
            "5\r\nhello\r\n",
            "0\r\n\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| gzip(&body)),
    ]
}

proptest! {
    /// However the bytes are cut, and whether they are put in place or not, the outcome is one; and nothing panics.
    #[test]
    fn any_cut_is_one(
        begins in prop::sample::select(vec!["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 201 \r\nTransfer-Encoding: chunked\r\n\r\n"]),
        parts in prop::collection::vec(part(), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let bytes = [begins.as_bytes().to_vec(), parts.concat()].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        let whole = outcome(&bytes);
        prop_assert_eq!(decode(pieces), whole);
    }

    /// The replies that came before on the same connection change nothing, however much they have in common.
    #[test]
    fn what_came_before_changes_nothing(
        begins in prop::sample::select(vec!["HTTP/1.1 204 \r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 \r\n\r\n"]),
        tails in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(part(), 0..5)), 2..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut last = LastHead::default();
        let mut bytes = begins.as_bytes().to_vec();
        for (kept, parts) in tails {
            bytes.truncate(kept.index(2 * bytes.len() + 1));
            bytes.extend(parts.concat());
            let (front, rest) = bytes.split_at(cut.index(2 * bytes.len() + 1).min(bytes.len()));
            let after = Decoder::new(MAX, None).after(&mut last);
            prop_assert_eq!(feed(after, [front, rest].into_iter()), outcome(&bytes));
            // And once more, when it is the last itself.
            let again = Decoder::new(MAX, None).after(&mut last);
            prop_assert_eq!(feed(again, [&*bytes].into_iter()), outcome(&bytes));
        }
    }

    /// A reply that was written as RFC 9112 has it comes back.
    #[test]
    fn what_is_written_comes_back(
        status in 200_u16..=999,
        body in prop::collection::vec(any::<u8>(), 0..3_000),
        way in 0..3,
    ) {
        prop_assume!(status != 204 && status != 304);
        let mut bytes = format!("HTTP/1.1 {status} reason\r\nContent-Type: a/b\r\n").into_bytes();
        match way {
            0 => bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes().chain(body.clone())),
            1 => bytes.extend(b"\r\n".iter().copied().chain(body.clone())),
            _ => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(777) {
                    bytes.extend(format!("{:X}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()));
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        let expected = Whole {
            reply: Reply {
                status,
                content_type: Some(Bytes::from_static(b"a/b")),
                content_disposition: None,
                body: body.into(),
            },
            then: if way == 1 { Then::Close } else { Then::Reuse },
        };
        prop_assert_eq!(outcome(&bytes), Ok(Progress::Whole(expected)));
    }
}
