//! Memory: the most that callers and backends can do to it, and that it is given back.
//!
//! `tests/heavy` does all of it to a release build; `cargo test` does a part.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::backend::backend;
use crate::support::control::Control;
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::{Reply, json_body, picture, png, status, text};
use crate::support::wire::{Wire, bounded};

const MIB: u64 = 1 << 20;

/// How much is done, and what it may cost. A build that is not optimised begins with more, and keeps more.
#[derive(Clone, Copy)]
struct Scale {
    /// Connections whose head never ends.
    heads: usize,
    /// Connections that send a head of 900 KB.
    fat: usize,
    /// Hooks at once, the bytes of each, and those of its answer.
    hooks: (usize, usize, usize),
    /// `max_buffered`, in MiB.
    buffered: u64,
    /// What may live beside that: the program itself, and what is counted in pieces.
    beside: u64,
    /// What may be resident once it is over.
    rest: u64,
}

const WHOLE: Scale = Scale {
    heads: 10_000,
    fat: 400,
    hooks: (200, 8_000_000, 32_000_000),
    buffered: 256,
    beside: 64 * MIB,
    rest: 40 * MIB,
};

const PART: Scale = Scale {
    heads: 1_000,
    fat: 40,
    hooks: (40, 2_000_000, 5_000_000),
    buffered: 32,
    beside: 96 * MIB,
    rest: 64 * MIB,
};

fn scale() -> Scale {
    match std::env::var("KOIGATE_HEAVY") {
        Ok(_) => WHOLE,
        Err(_) => PART,
    }
}

/// So many connections may be open at once in this process.
fn may_open(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum;
    assert!(
        maximum.is_none_or(|most| most > connections as u64 + 200),
        "`ulimit -Hn` is {maximum:?}: too few for {connections} connections"
    );
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// The resident memory of the gateway in bytes.
fn resident(gateway: &Gateway) -> u64 {
    gateway.status_of("VmRSS:") * 1024
}

/// The same at its highest so far.
fn peak(gateway: &Gateway) -> u64 {
    gateway.status_of("VmHWM:") * 1024
}

/// Waits until what was taken for a burst is given back.
async fn comes_back(gateway: &Gateway, before: u64, rest: u64) {
    gateway.counts("koigate_hooks_in_flight", 0.0).await;
    gateway.counts("koigate_buffered_bytes", 0.0).await;
    let begun = Instant::now();
    while resident(gateway) >= rest {
        let now = resident(gateway) / MIB;
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{now} MiB of at most {}",
            rest / MIB
        );
        sleep(Duration::from_millis(250)).await;
    }
    eprintln!(
        "{} MiB before, {} MiB at the most, {} MiB {:?} later",
        before / MIB,
        peak(gateway) / MIB,
        resident(gateway) / MIB,
        begun.elapsed()
    );
}

#[tokio::test]
async fn heads_that_never_end() {
    let Scale { heads, rest, .. } = scale();
    may_open(heads);
    let well = backend("well").forgets().starts();
    let gateway = gateway().asks(&well).starts().await;
    let before = resident(&gateway);
    let healthy = Control::fires(gateway.koipy(), "onMessage");
    let mut open = Vec::new();
    for _ in 0..heads {
        let mut wire = gateway.connect().await;
        wire.write("POST /onMessage HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            .await
            .unwrap();
        open.push(wire);
    }
    let opened = Instant::now();
    for wire in &mut open {
        wire.closed().await;
    }
    let took = opened.elapsed();
    assert!(
        took < Duration::from_secs(6),
        "{took:?} after the last was opened"
    );
    eprintln!(
        "{heads} unfinished heads, all gone {took:?} after the last; the longest healthy hook meanwhile took {:?}",
        healthy.longest()
    );
    drop((healthy, open));
    assert!(peak(&gateway) < 256 * MIB, "{} MiB", peak(&gateway) / MIB);
    comes_back(&gateway, before, rest).await;
}

/// Sends a whole head of 900 KB, as far as it is read, and gives the status back.
async fn sends_fat(gateway: &Gateway, head: &[u8]) -> Option<String> {
    let mut wire = Wire::connect(gateway.hooks).await;
    let _ = wire.write(head).await;
    let heard = String::from_utf8_lossy(&wire.closed().await).into_owned();
    heard.split(' ').nth(1).map(str::to_owned)
}

#[tokio::test]
async fn fat_heads() {
    let Scale { fat, rest, .. } = scale();
    may_open(fat);
    let asked = backend("asked").starts();
    let gateway = gateway().asks(&asked).starts().await;
    let before = resident(&gateway);
    let line = format!("X-Fat: {}\r\n", "a".repeat(990));
    let head = format!("POST /onMessage HTTP/1.1\r\nHost: a\r\n{}", line.repeat(900));
    let statuses = join_all((0..fat).map(|_| sends_fat(&gateway, head.as_bytes()))).await;
    // Whose answer a reset has overtaken has no status to show.
    let refused = statuses.iter().flatten().all(|status| status == "400");
    assert!(refused, "{statuses:?}");
    assert_eq!(asked.asked(), 0);
    let grew = peak(&gateway).saturating_sub(before);
    assert!(grew < 64 * MIB, "{} MiB", grew / MIB);
    comes_back(&gateway, before, rest).await;
}

/// A PNG that says it is 60,000 pixels wide and high.
fn vast_picture() -> Bytes {
    let mut png = picture(2, 2, [0; 3], image::ImageFormat::Png).to_vec();
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    png.into()
}

/// The checksum of a PNG's chunk.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// So many zeros, compressed.
fn squeezed(mib: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..mib {
        std::io::Write::write_all(&mut encoder, &vec![0; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bombs() {
    let small = png(8, 8, [9; 3]);
    // More than any reply may be, which is 32 MiB; while one grows it is there twice, and what it was before is freed.
    let zeros = Bytes::from(squeezed(64));
    let gzip = |kind: &str| {
        status(200)
            .typed(kind)
            .header("Content-Encoding", "gzip")
            .with(zeros.clone())
    };
    let objects = format!("[{}0]", "{\"a\":0},".repeat(1 << 20));
    let rows: [(&str, Reply, u64); 5] = [
        (
            "a picture of 60,000 x 60,000",
            status(200).typed("image/png").with(vast_picture()),
            32,
        ),
        ("zeros in gzip", gzip("text/plain"), 128),
        ("JSON in gzip", gzip("application/json"), 128),
        ("8 MB of lists in lists", json_body("[".repeat(8 << 20)), 64),
        ("a million small objects", json_body(objects), 120),
    ];
    for (what, bomb, most) in rows {
        let bombs = backend("bombs").replies(bomb).forgets().starts();
        let well = backend("well").replies(small.clone()).starts();
        let setup = gateway()
            .asks_at_once(&[&bombs, &well])
            .server("deadline = '25s'");
        let gateway = setup.defaults("timeout = '20s'").starts().await;
        let before = resident(&gateway);
        let answers = (0..3).map(|_| async {
            let document = payload("onResult", 12).dumps();
            bounded(what, gateway.koipy().posts("/onResult", document))
                .await
                .status
        });
        let statuses = join_all(answers).await;
        assert_eq!(statuses, [200; 3], "{what}");
        let grew = peak(&gateway).saturating_sub(before);
        eprintln!("{what}: {} MiB more at the most", grew / MIB);
        assert!(grew < 3 * most * MIB, "{what}: {} MiB", grew / MIB);
    }
}

/// Posts a large body and counts the answer instead of keeping it: its status, and how long it was.
async fn posts(gateway: &Gateway, request: &Bytes) -> (u16, usize) {
    let mut stream = TcpStream::connect(gateway.hooks).await.unwrap();
    // Who is refused may not be read to the end.
    let _ = stream.write_all(request).await;
    let (mut status, mut length) = (Vec::new(), 0);
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        if status.len() < 12 {
            status.extend_from_slice(&piece[..read.min(12)]);
        }
        length += read;
    }
    let status = String::from_utf8_lossy(&status);
    let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or_default(), length)
}

/// Those that compare and merge are there while there is something for them, not for good.
#[tokio::test]
async fn threads_of_a_burst_end() {
    let echo = backend("echo")
        .forgets()
        .replies(json_body(column("more", 2_000_000)))
        .starts();
    let gateway = gateway().asks(&echo).starts().await;
    let threads = || gateway.status_of("Threads:");
    let before = threads();
    let (koipy, document) = (gateway.koipy(), column("nodes", 2_000_000));
    let mut most = before;
    let begun = Instant::now();
    while most < before + 4 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{most} of {before}");
        join_all((0..8).map(|_| koipy.posts("/onResult", &document))).await;
        most = most.max(threads());
    }
    let over = Instant::now();
    while threads() > before + 1 {
        assert!(
            over.elapsed() < Duration::from_secs(8),
            "{} of {before}",
            threads()
        );
        sleep(Duration::from_millis(100)).await;
    }
    eprintln!(
        "{before} threads before, {most} at the most, gone {:?} later",
        over.elapsed()
    );
}

/// What large replies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Large {
    Text,
    /// A column of a document, so that something larger still is made of it.
    Column,
}

impl Large {
    /// A hook's body of this many bytes.
    fn hook(self, bytes: usize) -> Vec<u8> {
        match self {
            Self::Text => vec![b' '; bytes],
            Self::Column => column("nodes", bytes),
        }
    }

    /// A backend's reply.
    fn reply(self, backend: &str, bytes: usize) -> Reply {
        match self {
            Self::Text => text("").with(vec![b'x'; bytes]),
            Self::Column => json_body(column(backend, bytes)),
        }
    }
}

/// A document whose result is one column.
fn column(name: &str, bytes: usize) -> Vec<u8> {
    let (begin, cell, end) = (format!("{{\"result\": {{\"{name}\": ["), "\"香港 01\", ", "0]}}");
    let cells = (bytes - begin.len() - end.len()) / cell.len();
    let mut document = [begin.as_bytes(), cell.repeat(cells).as_bytes(), end.as_bytes()].concat();
    document.resize(bytes, b' ');
    document
}

#[tokio::test]
async fn large_hooks_and_larger_replies() {
    for large in [Large::Text, Large::Column] {
        are_bounded(large).await;
    }
}

async fn are_bounded(large: Large) {
    let Scale {
        hooks: (hooks, sent, answered),
        buffered,
        beside,
        rest,
        ..
    } = scale();
    may_open(2 * hooks);
    let says = |name: &'static str| {
        let told = backend(name).forgets();
        told.replies(large.reply(name, answered)).starts()
    };
    let backends = ["one", "other"].map(says);
    let most = buffered * MIB + beside;
    let gateway = gateway()
        .server(&format!(
            "max_buffered = '{buffered}MiB'\nmax_body = '{}MiB'\ndeadline = '25s'",
            buffered.min(32)
        ))
        .defaults(&format!("timeout = '20s'\nmax_reply = '{}MiB'", buffered.min(32)))
        .asks_at_once(&[&backends[0], &backends[1]])
        .starts()
        .await;
    let before = resident(&gateway);
    let head =
        format!("POST /onMessage HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {sent}\r\n\r\n");
    let request = Bytes::from([head.as_bytes(), &large.hook(sent)].concat());
    let answers = join_all((0..hooks).map(|_| posts(&gateway, &request))).await;
    let mut whole = 0;
    for (status, length) in &answers {
        match status {
            200 => {
                assert!(*length > answered, "{length} bytes");
                whole += 1;
            }
            // Its call found no room and was skipped, or the hook found none, or a reset has overtaken the answer.
            204 | 503 | 0 => {}
            other => panic!("{other}"),
        }
    }
    eprintln!("{hooks} hooks of {sent} bytes: {whole} answered with {answered} bytes and more, {large:?}");
    assert!(
        peak(&gateway) < most,
        "{} of {} MiB",
        peak(&gateway) / MIB,
        most / MIB
    );
    comes_back(&gateway, before, rest).await;
    let again = posts(&gateway, &request).await;
    assert!(again.0 == 200 && again.1 > answered, "it recovers: {again:?}");
}
