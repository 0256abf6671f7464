//! A head is accepted exactly if the strict reader accepts it, and says the same; how it is cut means nothing;
//! and what is refused before it is whole can't be mended.
//!
//! The first byte of an input says how many bytes come at once.
#![no_main]

use bytes::Bytes;
use koigate::inbound::head::{BadRequest, Framing, Head, Persistence, Scan, Version, check};
use koigate_fuzz::strict::{self, Beginning};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&step, input)) = input.split_first() else {
        return;
    };
    let whole = read(input, input.len());
    let cut = read(input, usize::from(step));
    assert_eq!(whole.as_ref().err(), cut.as_ref().err());

    match (whole, strict::head(input)) {
        (Ok(Some((head, length))), Beginning::Whole(expected, rest)) => {
            assert_eq!(length, input.len() - rest.len());
            check_same(&head, &expected);
            let (again, _) = cut.expect("no error").expect("a whole head");
            check_same(&again, &expected);
        }
        (Ok(None), Beginning::Part) | (Err(_), Beginning::Wrong) => {}
        (Err(_), Beginning::Part) => check_lost(input),
        (whole, expected) => panic!("{whole:?}, not {expected:?}"),
    }
});

/// The head at the start of the input, and where it ends, if so many bytes come at once.
fn read(input: &[u8], step: usize) -> Result<Option<(Head, usize)>, BadRequest> {
    let mut scan = Scan::default();
    let ends = (0..input.len()).step_by(step.max(1)).chain([input.len()]);
    for end in ends {
        if let Some(range) = scan.advance(&input[..end])? {
            let end = range.end;
            return check(Bytes::copy_from_slice(&input[range])).map(|head| Some((head, end)));
        }
    }
    Ok(None)
}

fn check_same(head: &Head, expected: &strict::Head) {
    assert_eq!(head.method(), expected.method);
    let origin = match expected.target.split_once("://") {
        Some((scheme, rest)) if !scheme.starts_with('/') => {
            rest.find(['/', '?']).map_or("", |at| &rest[at..])
        }
        _ => &expected.target,
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    assert_eq!(head.path(), if path.is_empty() { "/" } else { path });
    assert_eq!(head.query(), query);
    assert_eq!(head.version() == Version::Http11, expected.minor == 1);
    let headers: Vec<_> = head
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
    assert_eq!(headers, expected.headers);
    let framing = expected.length().map_or(Framing::Chunked, Framing::Length);
    assert_eq!(head.framing(), framing);
    assert_eq!(head.persistence() == Persistence::Close, expected.closes());
    assert_eq!(head.expects_continue(), expected.awaits_continue());
}

/// What was refused before it was whole is no request whichever way it ends.
fn check_lost(input: &[u8]) {
    for end in [
        "\r\n\r\n",
        "\n\r\n",
        " / HTTP/1.1\r\nHost: a\r\n\r\n",
        "a: b\r\n\r\n",
        ": b\r\n\r\n",
    ] {
        let ended = [input, end.as_bytes()].concat();
        assert!(
            !matches!(strict::head(&ended), Beginning::Whole(..)),
            "mended by {end:?}"
        );
    }
}
