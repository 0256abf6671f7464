//! Content codings are undone, bounded, and never half.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn codings_are_undone() {
    let body: Vec<u8> = (0..50_000_u32)
        .map(|index| ((index * index) >> 7) as u8)
        .collect();
    for body in [&b""[..], b"x", b"{\"a\": 1}", &body] {
        check(coded("identity", body), 200, body, Then::Reuse);
        check(coded("gzip", &gzip(body)), 200, body, Then::Reuse);
        check(coded("X-GZip", &gzip(body)), 200, body, Then::Reuse);
        check(coded("deflate", &zlib(body)), 200, body, Then::Reuse);
        for level in [Compression::none(), Compression::fast(), Compression::best()] {
            check(coded("deflate", &deflate(body, level)), 200, body, Then::Reuse);
        }
    }
    let members = [gzip(b"one, "), gzip(b""), gzip(b"two")].concat();
    check(coded("gzip", &members), 200, b"one, two", Then::Reuse);
    // No byte at all is an empty body under any coding.
    check(coded("gzip", b""), 200, b"", Then::Reuse);
    check(coded("deflate", b""), 200, b"", Then::Reuse);
    check(
        "HTTP/1.1 204 No\r\nContent-Encoding: gzip\r\n\r\n",
        204,
        b"",
        Then::Reuse,
    );
    let chunk = gzip(b"in chunks");
    let mut chunked = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        chunk.len()
    )
    .into_bytes();
    chunked.extend_from_slice(&chunk);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    check(chunked, 200, b"in chunks", Then::Reuse);
}

#[test]
fn codings_that_are_broken() {
    let whole = gzip(b"some text that is compressed");
    for length in 1..whole.len() {
        check_fails(coded("gzip", &whole[..length]), FailureKind::Protocol);
    }
    let mut flipped = whole.clone();
    flipped[whole.len() - 6] ^= 1;
    check_fails(coded("gzip", &flipped), FailureKind::Protocol);
    check_fails(coded("gzip", b"not gzip at all"), FailureKind::Protocol);
    check_fails(
        coded("gzip", &[&whole[..], b"garbage"].concat()),
        FailureKind::Protocol,
    );
    let whole = zlib(b"some text that is compressed");
    check_fails(coded("deflate", &whole[..whole.len() - 1]), FailureKind::Protocol);
    check_fails(
        coded("deflate", &[&whole[..], b"x"].concat()),
        FailureKind::Protocol,
    );
    check_fails(coded("deflate", b"\xff\xff\xff"), FailureKind::Protocol);
}

#[test]
fn bombs() {
    let exact = vec![0; MAX];
    check(coded("gzip", &gzip(&exact)), 200, &exact, Then::Reuse);
    check_fails(coded("gzip", &gzip(&vec![0; MAX + 1])), FailureKind::TooLarge);
    check_fails(
        coded("gzip", &gzip(&vec![0; 50_000_000])[..MAX / 2]),
        FailureKind::TooLarge,
    );
    check_fails(coded("deflate", &zlib(&vec![0; MAX + 1])), FailureKind::TooLarge);
    // A coded body may also come to nothing without end.
    let nothing = gzip(b"").repeat(MAX / 20 + 1);
    let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n";
    check_fails([&head[..], &nothing].concat(), FailureKind::TooLarge);
}
