//! Bodies fed whole and a byte at a time have one meaning.

use proptest::prelude::*;

use super::*;
use crate::http1::MAX_DROPPED;

/// What became of a body: its content and what followed it, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Read {
    Whole { content: Vec<u8>, rest: Vec<u8> },
    Partial(Vec<u8>),
    Bad,
}

/// Reads a body whose bytes come in these pieces.
fn read<'a>(framing: BodyFraming, pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let mut reader = BodyReader::new(framing);
    let mut content = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    for mut piece in std::iter::once(&b""[..]).chain(pieces) {
        while after.is_none() {
            match reader.step(piece) {
                Ok(Step::Content { content: part, rest }) => {
                    assert!(!part.is_empty(), "content is never empty");
                    content.extend_from_slice(part);
                    piece = rest;
                }
                Ok(Step::More) => break,
                Ok(Step::End { rest }) => {
                    after = Some(Vec::new());
                    piece = rest;
                }
                Err(BadChunk) => return Read::Bad,
            }
        }
        if let Some(rest) = &mut after {
            rest.extend_from_slice(piece);
        }
    }
    match (after, reader.close()) {
        (Some(rest), Ok(())) => Read::Whole { content, rest },
        (None, Ok(())) => Read::Whole {
            content,
            rest: Vec::new(),
        },
        (_, Err(Truncated)) => Read::Partial(content),
    }
}

#[track_caller]
fn check(framing: BodyFraming, bytes: &[u8], expected: &Read) {
    assert_eq!(&read(framing, std::iter::once(bytes)), expected, "whole");
    assert_eq!(&read(framing, bytes.chunks(1)), expected, "a byte at a time");
}

fn whole(content: &[u8], rest: &[u8]) -> Read {
    Read::Whole {
        content: content.to_vec(),
        rest: rest.to_vec(),
    }
}

#[test]
fn lengths() {
    check(BodyFraming::Length(0), b"", &whole(b"", b""));
    check(BodyFraming::Length(0), b"x", &whole(b"", b"x"));
    check(BodyFraming::Length(3), b"abc", &whole(b"abc", b""));
    check(BodyFraming::Length(3), b"abcdef", &whole(b"abc", b"def"));
    check(BodyFraming::Length(3), b"ab", &Read::Partial(b"ab".to_vec()));
    check(
        BodyFraming::Length(u64::MAX),
        b"ab",
        &Read::Partial(b"ab".to_vec()),
    );
}

#[test]
fn until_close() {
    check(BodyFraming::UntilClose, b"", &whole(b"", b""));
    check(BodyFraming::UntilClose, b"0\r\n\r\n", &whole(b"0\r\n\r\n", b""));
}

#[test]
fn chunks() {
    for (bytes, content, rest) in [
        (&b"0\r\n\r\n"[..], &b""[..], &b""[..]),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", b""),
        (b"3\r\nabc\r\n0\r\n\r\nHTTP", b"abc", b"HTTP"),
        (b"1\r\na\r\n002\r\nbc\r\n00\r\n\r\n", b"abc", b""),
        (
            b"A\r\n0123456789\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
            b"0123456789\r\n\r\n\r\n\r\n\r\n",
            b"",
        ),
        (b"3;name=value\r\nabc\r\n0;last\r\n\r\n", b"abc", b""),
        (b"3 \t;name=value \r\nabc\r\n0\r\n\r\n", b"abc", b""),
        (b"3 \t\r\nabc\r\n0\r\n\r\n", b"abc", b""),
        (b"0\r\nTrailer: yes\r\nOther: one\r\n\r\n", b"", b""),
        (b"0000000000000001\r\na\r\n0\r\n\r\n", b"a", b""),
    ] {
        check(BodyFraming::Chunked, bytes, &whole(content, rest));
    }
}

#[test]
fn chunks_cut_short() {
    let full = b"3;x\r\nabc\r\n0\r\nTrailer: yes\r\n\r\n";
    for length in 0..full.len() {
        let Read::Partial(content) = read(BodyFraming::Chunked, std::iter::once(&full[..length])) else {
            panic!("{length} bytes of {} are no whole body", full.len());
        };
        assert!(b"abc".starts_with(&content[..]));
    }
}

#[test]
fn chunks_broken() {
    for bytes in [
        &b"\r\n\r\n"[..],
        b";x\r\n\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"g\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"1\r\rab\r\n0\r\n\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1;x\na\r\n0\r\n\r\n",
        b"0\r\n\n",
        b"0\r\n\rx",
        b"0\r\nTrailer: x\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nTrailer: x\r\n\tfolded\r\n\r\n",
        b"1 1\r\na\r\n0\r\n\r\n",
        b"1\t x\r\na\r\n0\r\n\r\n",
        b"00000000000000001\r\na\r\n0\r\n\r\n",
        b"10000000000000000\r\n",
    ] {
        check(BodyFraming::Chunked, bytes, &Read::Bad);
    }
}

#[test]
fn what_is_dropped_is_bounded() {
    let padding = "x".repeat(MAX_DROPPED);
    let extended = |padding: &str| format!("1;{padding}\r\na\r\n0\r\n\r\n").into_bytes();
    check(BodyFraming::Chunked, &extended(&padding[1..]), &whole(b"a", b""));
    check(BodyFraming::Chunked, &extended(&padding), &Read::Bad);
    let trailed = |padding: &str| format!("0\r\n{padding}\r\n\r\n").into_bytes();
    check(BodyFraming::Chunked, &trailed(&padding), &whole(b"", b""));
    check(BodyFraming::Chunked, &trailed(&format!("{padding}x")), &Read::Bad);
}

proptest! {
    /// Where the bytes are split means nothing.
    #[test]
    fn any_split_is_one(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b"3\r\nabc\r\n".to_vec()),
            Just(b"1;x=y\r\n\n\r\n".to_vec()),
            Just(b"0\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"T: v\r\n".to_vec()),
            any::<u8>().prop_map(|byte| vec![byte]),
        ], 0..12).prop_map(|parts| parts.concat()),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        framing in prop_oneof![
            Just(BodyFraming::Chunked),
            Just(BodyFraming::UntilClose),
            (0_u64..40).prop_map(BodyFraming::Length),
        ],
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(read(framing, pieces), read(framing, std::iter::once(&bytes[..])));
    }

    /// What is written in chunks comes back.
    #[test]
    fn chunks_come_back(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..6)) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(read(BodyFraming::Chunked, bytes.chunks(7)), whole(&chunks.concat(), b""));
    }
}
