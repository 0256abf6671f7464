//! The one answer: which of the replies it is, or what it is made of.

use image::ImageFormat;

use crate::support::backend::{Backend, Told, backend};
use crate::support::gateway::gateway;
use crate::support::koipy::{After, Shown};
use crate::support::payload::payload;
use crate::support::python::{Value, assert_same, json};
use crate::support::reply::{base64, file, json_body, no_content, picture, png, status, text};
use crate::support::script::script;
use crate::support::wire::Response;

const RED: [u8; 3] = [220, 0, 0];
const GREEN: [u8; 3] = [0, 220, 0];
const BLUE: [u8; 3] = [0, 0, 220];

/// Asks these backends at the same time about one onResult of 12 nodes.
async fn after<const N: usize>(told: [Told; N]) -> After {
    after_with("", told).await.0
}

/// The same under further keys of the hook, with what was counted as dropped.
async fn after_with<const N: usize>(keys: &str, told: [Told; N]) -> (After, f64) {
    let backends = told.map(Told::starts);
    let names: Vec<_> = backends.iter().map(|b| b.name.as_str()).collect();
    let table = format!("chain = [{names:?}]\n{keys}");
    let gateway = gateway()
        .backends(&backends)
        .hook("onResult", &table)
        .starts()
        .await;
    let after = gateway.koipy().fires("onResult", &payload("onResult", 12)).await;
    gateway.counts("koigate_hooks_total hook=onResult", 1.0).await;
    let dropped = gateway
        .metrics()
        .await
        .sum("koigate_attachments_dropped_total hook=onResult");
    (after, dropped)
}

fn content_type(after: &After) -> Option<&str> {
    after.response.header("content-type")
}

// === pass-through ===

#[tokio::test]
async fn json_of_one_backend_alone_passes_byte_for_byte() {
    for body in [
        "{\"result\":{\"类型\":[1]}}",
        "\u{feff}{\"result\": {}, \"result\": {\"a\": NaN}}\n ",
        r#"{"b": 1, "a": {"\ud83c": 1.0000000000000000000000001}}"#,
    ] {
        let answer = after([backend("a"), backend("b").replies(json_body(body)), backend("c")]).await;
        assert_eq!(
            (answer.response.status, answer.response.text().as_str()),
            (200, body)
        );
        assert_eq!(content_type(&answer), Some("application/json"));
    }
}

#[tokio::test]
async fn nothing_is_a_204() {
    let answer = after([backend("a"), backend("b").replies(json_body("{}"))]).await;
    assert_eq!((answer.response.status, answer.response.body.len()), (204, 0));
    assert_eq!(
        (content_type(&answer), answer.response.header("content-length")),
        (None, None)
    );
}

#[tokio::test]
async fn two_echoes_without_an_edit_are_nothing() {
    let answer = after([backend("a").echoes(|_| {}), backend("b").echoes(|_| {})]).await;
    match answer.response.status {
        204 => {}
        // Whole and unchanged says the same.
        _ => assert_same(&answer.answer(), &payload("onResult", 12)),
    }
}

// === texts ===

#[tokio::test]
async fn texts_are_joined_in_configured_order() {
    let gbk = status(200)
        .typed("text/plain; charset=GBK")
        .with(b"\xb5\xda\xd2\xbb".as_slice());
    let answer = after([
        backend("a").replies(text("末").typed("Plain/Text").after(60)),
        backend("b").replies(gbk.clone().after(30)),
        backend("c").replies(no_content()),
        backend("d").replies(text("🇭🇰")),
    ])
    .await;
    assert_eq!(answer.shows, Some(Shown::Message("末\n第一\n🇭🇰".into())));
    let label = content_type(&answer).unwrap().to_owned();
    assert!(
        label.to_ascii_lowercase().starts_with("plain/text"),
        "as the first spelled it: {label}"
    );
    assert!(label.replace(' ', "").ends_with(";charset=utf-8"), "{label}");

    let alone = after([backend("a"), backend("b").replies(gbk)]).await;
    assert_eq!(
        &alone.response.body[..],
        b"\xb5\xda\xd2\xbb",
        "one reply alone is left as it is"
    );
    assert_eq!(content_type(&alone), Some("text/plain; charset=GBK"));
}

// === pictures ===

/// The colours of a sheet down a column of pixels, without what is no picture's.
fn colours_down(bytes: &[u8], x: u32) -> Vec<[u8; 3]> {
    let sheet = image::load_from_memory_with_format(bytes, ImageFormat::Png)
        .expect("a PNG")
        .to_rgb8();
    let mut colours: Vec<_> = (0..sheet.height())
        .filter_map(|y| known(sheet.get_pixel(x, y).0))
        .collect();
    colours.dedup();
    colours
}

/// JPEG is only nearly true to a colour.
fn known(pixel: [u8; 3]) -> Option<[u8; 3]> {
    let near = |colour: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(*b) < 12);
    [RED, GREEN, BLUE].into_iter().find(|colour| near(colour))
}

fn sheet(after: &After) -> &[u8] {
    assert_eq!(
        (after.response.status, content_type(after)),
        (200, Some("image/png")),
        "{:?}",
        after.response
    );
    &after.response.body
}

#[tokio::test]
async fn pictures_become_one_sheet_in_configured_order() {
    let mislabelled = status(200)
        .typed("image/png")
        .with(picture(30, 10, GREEN, ImageFormat::Jpeg));
    let answer = after([
        backend("a").replies(png(40, 20, RED).after(60)),
        backend("b").replies(mislabelled.after(30)),
        backend("c").replies(png(20, 20, BLUE)),
    ])
    .await;
    let sheet = sheet(&answer);
    assert_eq!(colours_down(sheet, 10), [RED, GREEN, BLUE]);
    let drawn = image::load_from_memory(sheet).unwrap();
    assert!(
        drawn.width() >= 40 && drawn.height() >= 50,
        "{}x{}",
        drawn.width(),
        drawn.height()
    );
}

#[tokio::test]
async fn a_sheet_keeps_telegrams_limits() {
    for (count, width, height, scaled) in [
        (4, 200, 2_600, false),
        (4, 2_100, 100, false),
        (2, 9_000, 900, true),
    ] {
        let draws = |name| backend(name).replies(png(width, height, RED));
        let (c, d) = if count == 4 {
            (draws("c"), draws("d"))
        } else {
            (backend("c"), backend("d"))
        };
        let answer = after([draws("a"), draws("b"), c, d]).await;
        let drawn = image::load_from_memory(sheet(&answer)).unwrap().to_rgb8();
        let (w, h) = drawn.dimensions();
        assert!(w + h <= 10_000 && w <= 20 * h && h <= 20 * w, "{w}x{h}");
        assert!(answer.response.body.len() <= 10_000_000);
        let red = drawn.pixels().filter(|pixel| known(pixel.0) == Some(RED)).count();
        let whole = count * width as usize * height as usize;
        assert!(
            if scaled { red < whole } else { red == whole },
            "{red} of {whole} pixels"
        );
    }
}

#[tokio::test]
async fn a_picture_that_can_not_be_decoded_is_left_out() {
    let whole = picture(40, 20, RED, ImageFormat::Png);
    let cut = whole.slice(..whole.len() / 2);
    let bad = |body: bytes::Bytes| status(200).typed("image/png").with(body);
    let svg = status(200)
        .typed("image/png")
        .with("<svg xmlns='http://www.w3.org/2000/svg'/>");
    let answer = after([
        backend("a").replies(bad(cut.clone())),
        backend("b").replies(png(20, 20, BLUE)),
        backend("c").replies(svg),
        backend("d").replies(bad(huge())),
        backend("e").replies(png(20, 20, GREEN)),
    ])
    .await;
    assert_eq!(colours_down(sheet(&answer), 10), [BLUE, GREEN]);

    let (answer, dropped) = after_with(
        "",
        [
            backend("a").replies(bad(cut.clone())),
            backend("b").replies(bad(whole.clone())),
        ],
    )
    .await;
    assert_eq!(
        (sheet(&answer), dropped),
        (&whole[..], 1.0),
        "the one that remains passes unchanged"
    );
    for alone in [cut, huge()] {
        let answer = after([backend("a"), backend("b").replies(bad(alone.clone()))]).await;
        assert_eq!(sheet(&answer), &alone[..], "alone it is the bot's to judge");
    }
}

/// 60,000 × 60,000 pixels in 67 bytes: a header that asks for 10 GB.
fn huge() -> bytes::Bytes {
    let mut bytes = picture(1, 1, RED, ImageFormat::Png).to_vec();
    bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

#[tokio::test]
async fn images_first_passes_the_first_in_configured_order() {
    let first = picture(9, 9, RED, ImageFormat::Png);
    let late = status(200).typed("image/jpeg").with(first.clone()).after(60);
    let (answer, dropped) = after_with(
        "images = 'first'",
        [backend("a").replies(late), backend("b").replies(png(5, 5, BLUE))],
    )
    .await;
    assert_eq!(
        (&answer.response.body, content_type(&answer)),
        (&first, Some("image/jpeg"))
    );
    assert_eq!(dropped, 1.0);
}

// === kinds together ===

#[tokio::test]
async fn json_carries_the_others_under_addons() {
    let picture = picture(3, 2, BLUE, ImageFormat::Png);
    let answer = after([
        backend("draws").replies(status(200).typed("image/png").with(picture.clone())),
        backend("says").replies(
            status(200)
                .typed("text/plain; charset=gbk")
                .with(b"\xba\xc3".as_slice()),
        ),
        backend("edits").sets("/result/new", vec![1_i64; 12]),
        backend("files").replies(file("a b.csv", "1,2")),
        backend("draws2").replies(png(3, 3, RED)),
    ])
    .await;
    let document = answer.answer();
    let carried = document.at("/addons/koigate");
    let entry = |place: &str, backend: &str, data: &str| {
        let entry = carried.at(place);
        assert_eq!(
            (entry.at("/backend").text(), entry.at("/data").text()),
            (backend.into(), data.into())
        );
        assert_eq!(entry.keys(), ["backend", "content_type", "filename", "data"]);
        entry.clone()
    };
    let drawn = entry("/images/0", "draws", &base64(&picture));
    assert_eq!(drawn.at("/content_type").text(), "image/png");
    entry("/texts/0", "says", "好");
    let sent = entry("/files/0", "files", &base64(b"1,2"));
    assert_eq!(sent.at("/filename").text(), "a b.csv");
    assert_eq!(carried.at("/images").elements().len(), 2);
    assert_eq!(carried.at("/images/1/backend").text(), "draws2");

    let mut expected = payload("onResult", 12);
    expected
        .set("/result/new", vec![1_i64; 12])
        .set("/addons/koigate", carried.clone());
    assert_same(&document, &expected);
    assert_eq!(answer.shows, None);
    assert_same(answer.holds.at("/result"), expected.at("/result"));
}

#[tokio::test]
async fn without_json_the_first_kind_present_wins() {
    let says = || backend("says").replies(text("hi"));
    let files = || backend("files").replies(file("a.txt", "x"));
    let draws = || backend("draws").replies(png(4, 4, RED));
    let (answer, dropped) = after_with("", [says(), files(), draws()]).await;
    assert!(matches!(answer.shows, Some(Shown::Picture(_))), "{answer:?}");
    assert_eq!(dropped, 2.0);
    let (answer, dropped) = after_with("", [files(), says()]).await;
    assert_eq!((answer.shows, dropped), (Some(Shown::Message("hi".into())), 1.0));
    let (answer, dropped) = after_with("", [files(), backend("more").replies(file("b.txt", "y"))]).await;
    let first = Shown::File {
        name: Some("a.txt".into()),
        body: "x".into(),
    };
    assert_eq!((answer.shows, dropped), (Some(first), 1.0));
}

// === multipart ===

/// The parts of a `multipart/mixed` answer: their header blocks and bodies.
fn parts(response: &Response) -> Vec<(String, Vec<u8>)> {
    let label = response.header("content-type").unwrap();
    assert!(label.starts_with("multipart/mixed"), "{label}");
    let (_, boundary) = label.split_once("boundary=").expect("a boundary");
    let delimiter = format!("\r\n--{}", boundary.trim_matches('"'));
    let body = [b"\r\n".as_slice(), &response.body].concat();
    let mut parts = split(&body, delimiter.as_bytes());
    assert!(parts.remove(0).is_empty(), "no preamble");
    assert!(
        parts.pop().expect("an end").starts_with(b"--"),
        "the last delimiter closes"
    );
    let halves = parts.iter().map(|part| {
        let part = part.strip_prefix(b"\r\n".as_slice()).expect("a line of its own");
        let part = if part.starts_with(b"\r\n") {
            [b"\r\n", part].concat()
        } else {
            part.to_vec()
        };
        let mut halves = split(&part, b"\r\n\r\n");
        let head = String::from_utf8(halves.remove(0)).expect("plain headers");
        (head, halves.join(b"\r\n\r\n".as_slice()))
    });
    halves.collect()
}

fn split(bytes: &[u8], at: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = vec![Vec::new()];
    let mut rest = bytes;
    while let Some((first, others)) = rest.split_first() {
        match rest.strip_prefix(at) {
            Some(behind) => {
                pieces.push(Vec::new());
                rest = behind;
            }
            None => {
                pieces.last_mut().unwrap().push(*first);
                rest = others;
            }
        }
    }
    pieces
}

async fn multipart(backends: &[&Backend], document: &Value) -> Vec<(String, Vec<u8>)> {
    let gateway = gateway().asks_at_once(backends).starts().await;
    let request = gateway.koipy().request("/onResult", document.dumps().as_bytes());
    let accepting = "\r\nAccept: multipart/mixed\r\n";
    let request = String::from_utf8(request)
        .unwrap()
        .replacen("\r\nAccept: */*\r\n", accepting, 1);
    parts(&gateway.answers(request).await)
}

#[tokio::test]
async fn multipart_carries_everything_unchanged() {
    let base = payload("onResult", 12);
    let picture = picture(3, 2, BLUE, ImageFormat::Png);
    let gbk = b"\xba\xc3\r\n\r\n".as_slice();
    let says = backend("says")
        .replies(status(200).typed("text/plain; charset=gbk").with(gbk))
        .starts();
    let draws = backend("draws")
        .replies(status(200).typed("image/jpeg").with(picture.clone()))
        .starts();
    let edits = backend("edits").sets("/addons/x", 1_i64).starts();
    let files = backend("files")
        .replies(file("a.bin", b"\0\r\n--".as_slice()))
        .starts();
    let parts = multipart(&[&says, &draws, &edits, &files], &base).await;
    let bodies: Vec<_> = parts.iter().map(|(_, body)| body.as_slice()).collect();
    let mut expected = base.clone();
    expected.set("/addons/x", 1_i64);
    assert_same(&json(bodies[0]), &expected);
    assert_eq!(
        bodies[1..],
        [gbk, &picture, b"\0\r\n--".as_slice()],
        "configured order behind the document"
    );
    for ((head, _), expected) in parts.iter().zip([
        "application/json",
        "text/plain; charset=gbk",
        "image/jpeg",
        "filename=\"a.bin\"",
    ]) {
        assert!(head.contains(expected), "{head:?} has {expected}");
    }
    assert!(
        !parts[3].0.to_ascii_lowercase().contains("content-type"),
        "a file has none: {:?}",
        parts[3].0
    );
}

// === headers ===

#[tokio::test]
async fn file_names_are_rebuilt_safely() {
    let long = format!("attachment; filename=\"{}.csv\"", "长".repeat(3_000));
    for (disposition, expected) in [
        ("attachment; filename=\"plain.csv\"", Some("plain.csv")),
        ("attachment; filename=plain.csv", Some("plain.csv")),
        ("attachment; filename=\"../../etc/pass wd\"", None),
        ("attachment; filename=\"a\\\"b.csv\"", None),
        ("attachment; filename*=UTF-8''%E7%BB%93%E6%9E%9C.csv", None),
        ("attachment; filename*=UTF-8''a%0d%0aSet-Cookie%3a%20x.csv", None),
        ("attachment; filename=\"..\\\\..\\\\x\"", None),
        (&*long, None),
    ] {
        let reply = status(200).header("Content-Disposition", disposition).with("x");
        let answer = after([backend("a").replies(reply), backend("b")]).await;
        let shown = disposition.chars().take(60).collect::<String>();
        let rebuilt = answer.response.header("content-disposition").unwrap().to_owned();
        assert_eq!(answer.response.header("set-cookie"), None, "{shown}");
        assert!(
            rebuilt.len() < 2_000 && !rebuilt.contains(".."),
            "{shown}: {rebuilt}"
        );
        assert!(
            !rebuilt.contains(['/', '\\']) || !rebuilt.contains("etc/"),
            "{shown}: {rebuilt}"
        );
        assert!(rebuilt.is_ascii(), "{shown}: {rebuilt}");
        let Some(Shown::File { name, .. }) = answer.shows else {
            panic!("{shown}: {rebuilt}")
        };
        // A name that is only given as `filename*` may stay so.
        assert!(
            name.is_some() || rebuilt.contains("filename*="),
            "{shown}: {rebuilt}"
        );
        if expected.is_some() {
            assert_eq!(name.as_deref(), expected, "{shown}");
        }
        if disposition.contains("%E7") {
            assert!(
                rebuilt.contains("filename*=UTF-8''%E7%BB%93%E6%9E%9C.csv"),
                "{rebuilt}"
            );
        }
    }
}

#[tokio::test]
async fn every_answer_says_who_took_how_long() {
    let answer = after([
        backend("quick").replies(text("x")),
        backend("slow").replies(no_content().after(80)),
        backend("broken").replies(script().closes()),
    ])
    .await;
    let timing = answer.response.header("server-timing").unwrap();
    let entries: Vec<_> = timing.split(',').map(str::trim).collect();
    assert_eq!(entries.len(), 3, "{timing}");
    for (entry, (name, verdict)) in
        entries
            .iter()
            .zip([("quick", "continue"), ("slow", "continue"), ("broken", "failed")])
    {
        assert!(
            entry.starts_with(&format!("{name};desc=\"{verdict}\";dur=")),
            "{timing}"
        );
    }
    let took: f64 = entries[1].rsplit('=').next().unwrap().parse().unwrap();
    assert!((75.0..2_000.0).contains(&took), "milliseconds: {timing}");
    assert!(
        answer
            .response
            .header("x-request-id")
            .is_some_and(|id| id.len() >= 8)
    );
}
