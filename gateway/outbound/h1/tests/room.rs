//! Replies in a room that others have filled.

use std::sync::Arc;

use super::*;
use crate::buffered::Room;

/// What becomes of a reply where there is room for so many bytes, and how many are held while its body is held.
#[track_caller]
fn check(most: usize, reply: &[u8], expected: Result<usize, FailureKind>) {
    for step in [1, 7, reply.len()] {
        let room = Arc::new(Room::default());
        room.limit_to(most);
        let mut decoder = Decoder::new(MAX, Some(&room));
        let mut outcome = Ok(Progress::More);
        for piece in reply.chunks(step) {
            outcome = decoder.feed(piece);
            assert!(room.held() <= most);
            if outcome != Ok(Progress::More) {
                break;
            }
        }
        let held = match &outcome {
            Ok(Progress::Whole(_)) => Ok(room.held()),
            Ok(progress) => panic!("{progress:?}"),
            Err(failure) => Err(failure.kind),
        };
        assert_eq!(held, expected, "{most}, {step} at once");
        drop((outcome, decoder));
        assert_eq!(room.held(), 0);
    }
}

fn reply(lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn a_reply_counts_as_it_comes() {
    let body = [b'x'; 5_000];
    let by_length = reply("Content-Length: 5000", &body);
    let in_chunks = reply(
        "Transfer-Encoding: chunked",
        &[b"1388\r\n", &body[..], b"\r\n0\r\n\r\n"].concat(),
    );
    for reply in [by_length, in_chunks] {
        check(5_000, &reply, Ok(5_000));
        check(4_999, &reply, Err(FailureKind::Overloaded));
        check(0, &reply, Err(FailureKind::Overloaded));
    }
    check(0, b"HTTP/1.1 204 No Content\r\n\r\n", Ok(0));
}

#[test]
fn a_coded_reply_counts_as_what_it_becomes() {
    let coded = gzip(&[b'x'; 50_000]);
    let lines = format!("Content-Encoding: gzip\r\nContent-Length: {}", coded.len());
    check(50_000, &reply(&lines, &coded), Ok(50_000));
    check(49_999, &reply(&lines, &coded), Err(FailureKind::Overloaded));
}

#[test]
fn what_is_put_straight_into_the_body_counts_too() {
    let room = Arc::new(Room::default());
    room.limit_to(80_000);
    let mut decoder = Decoder::new(MAX, Some(&room));
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n";
    assert_eq!(decoder.feed(head), Ok(Progress::More));
    assert_eq!(room.held(), 0, "to announce is to hold nothing");
    let mut filled = 0;
    let failure = loop {
        let mut space = decoder.space(0).unwrap();
        let length = space.remaining_mut().min(10_000);
        space.put_bytes(b'x', length);
        match decoder.filled(length) {
            Ok(_) => filled += length,
            Err(failure) => break failure,
        }
        assert_eq!(room.held(), filled);
    };
    assert_eq!((failure.kind, room.held()), (FailureKind::Overloaded, filled));
    assert!(filled > 60_000, "{filled}");
}
