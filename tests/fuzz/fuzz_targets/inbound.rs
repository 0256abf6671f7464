//! A caller that sends any bytes, cut anywhere: what is served is exactly what the strict reader finds in them,
//! and each answer is well-formed HTTP, whatever it was told to carry.
//!
//! The first two bytes of an input say how the rest is cut. Paths below `/busy` are turned away at the door,
//! `/503` answers with that status, and a body comes back as the values of headers, too.
#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use koigate::buffered::Room;
use koigate::inbound::{Admitted, Door, Front, Head, Leave, Refusal, Request, Response};
use koigate_core::answer::Answer;
use koigate_core::reply::Reply;
use koigate_fuzz::responses::response;
use koigate_fuzz::{strict, take_cuts};
use libfuzzer_sys::fuzz_target;
use pingora::apps::ServerApp;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

/// The largest body that is taken.
const MAX_BODY: usize = 1000;

/// What happened at the door, in its order.
#[derive(Debug)]
enum Event {
    Served(strict::Request),
    TurnedAway { to_head: bool },
    Refused,
}

#[derive(Debug, Default)]
struct Porch {
    events: Mutex<Vec<Event>>,
    /// What bodies take.
    room: Arc<Room>,
}

impl Porch {
    fn note(&self, event: Event) {
        self.events.lock().expect("nobody panics").push(event);
    }
}

impl Door for Porch {
    type Pass = ();

    fn admit(&self, head: &Head) -> Result<Admitted<()>, Box<Response>> {
        if head.path().starts_with("/busy") {
            let to_head = head.method() == "HEAD";
            self.note(Event::TurnedAway { to_head });
            return Err(Refusal::Overloaded.into());
        }
        Ok(Admitted {
            pass: (),
            max_body: MAX_BODY,
            held: self.room.open(),
        })
    }

    async fn serve(&self, (): (), request: Request) -> Response {
        self.note(Event::Served(seen(&request)));
        answer(&request)
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        self.note(Event::Refused);
        refusal.into()
    }
}

/// A request as the strict reader has it, but for its target.
fn seen(request: &Request) -> strict::Request {
    let head = &request.head;
    let query = head.query().map(|query| format!("?{query}"));
    strict::Request {
        head: strict::Head {
            method: head.method().to_owned(),
            target: head.path().to_owned() + &query.unwrap_or_default(),
            minor: u8::from(head.version() == koigate::inbound::Version::Http11),
            headers: head
                .headers()
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
        },
        body: request.body.to_vec(),
    }
}

/// An answer that carries what it was sent wherever an answer can.
fn answer(request: &Request) -> Response {
    let status = request.head.path().trim_start_matches('/').parse().ok();
    let reply = Reply {
        status: status.filter(|status| (200..600).contains(status)).unwrap_or(200),
        content_type: Some(request.body.clone()),
        content_disposition: Some(request.body.clone()),
        body: request.body.clone(),
    };
    let text = String::from_utf8_lossy(&request.body).into_owned();
    Response::from(Answer::from_reply(&reply)).with("X-Text", text)
}

fuzz_target!(|input: &[u8]| {
    let Some((cuts, input)) = take_cuts(input) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let porch = Arc::new(Porch::default());
    let output = runtime.block_on(talk(&porch, &cuts, input));
    let events = std::mem::take(&mut *porch.events.lock().expect("nobody panics"));
    assert_eq!(porch.room.held(), 0, "nobody is left, and a body is still held");
    let expected = strict::conversation(input, MAX_BODY);
    check_served(&events, &expected);
    check_output(&output, &events, &expected);
    // It reads trailers, and refuses what no field may be; here they are dropped unread.
    if !expected.trailed && expected.requests.iter().all(|request| is_plain(&request.head)) {
        let by_hyper = runtime.block_on(ask_hyper(input));
        check_hyper(&events, &by_hyper);
    }
});

/// What a caller gets that sends these pieces, each once the one before has been read.
async fn talk(porch: &Arc<Porch>, cuts: &[usize], input: &[u8]) -> Vec<u8> {
    let (caller, stream) = tokio::io::duplex(64 * 1024);
    let leave = watch::Sender::new(Leave::Staying);
    let front = Arc::new(Front::new(Arc::clone(porch), leave.subscribe()));
    let stop = watch::Sender::new(false);
    let stopping = stop.subscribe();
    let session = async move { front.process_new(Box::new(stream), &stopping).await };
    let (_, output) = tokio::join!(session, send(caller, cuts, input));
    output
}

async fn send(caller: DuplexStream, cuts: &[usize], mut input: &[u8]) -> Vec<u8> {
    let (mut reading, mut writing) = tokio::io::split(caller);
    let write = async {
        for &cut in cuts {
            let (piece, rest) = input.split_at(cut.min(input.len()));
            // Whoever has been refused is not read to the end.
            let _ = writing.write_all(piece).await;
            // The clock goes on only when everybody waits.
            tokio::time::sleep(Duration::from_millis(1)).await;
            input = rest;
        }
        let _ = writing.write_all(input).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let _ = writing.shutdown().await;
    };
    let mut output = Vec::new();
    let (_, read) = tokio::join!(write, reading.read_to_end(&mut output));
    read.expect("a pipe doesn't break");
    output
}

fn check_served(events: &[Event], expected: &strict::Conversation) {
    let mut requests = expected.requests.iter();
    for event in events {
        match event {
            Event::Served(served) => {
                let mut request = requests.next().expect("no more was asked").clone();
                request.head.target = origin(&request.head.target);
                assert_eq!(*served, request);
            }
            // Whether its body was there in time for the next request to be found is left to chance.
            Event::TurnedAway { .. } => drop(requests.next()),
            Event::Refused => assert!(expected.refused || expected.unfinished || turned_away(events)),
        }
    }
    if !turned_away(events) {
        assert_eq!(requests.next(), None, "not served");
        assert!(!expected.refused || matches!(events.last(), Some(Event::Refused)));
    }
}

/// Path and query of a target.
fn origin(target: &str) -> String {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.starts_with('/') => {
            rest.find(['/', '?']).map_or("", |at| &rest[at..])
        }
        _ => target,
    };
    if origin.is_empty() || origin.starts_with('?') {
        return format!("/{origin}");
    }
    origin.to_owned()
}

fn turned_away(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::TurnedAway { .. }))
}

/// One answer for each event, in order; the one that says so is the last.
fn check_output(mut output: &[u8], events: &[Event], expected: &strict::Conversation) {
    let mut continues = 0;
    let mut open = true;
    for event in events {
        let to_head = match event {
            Event::Served(request) => request.head.method == "HEAD",
            Event::TurnedAway { to_head } => *to_head,
            // Whoever was turned away leaves the reader elsewhere; the refusal is the last of all.
            Event::Refused if turned_away(events) => output.ends_with(b"\r\n\r\n"),
            Event::Refused => expected.ends_in_head,
        };
        assert!(open, "something was asked after the last answer");
        let answer = loop {
            let (answer, rest) = response(output, to_head);
            output = rest;
            if answer.status != 100 {
                break answer;
            }
            continues += 1;
        };
        open = answer.value("connection") != Some(b"close");
    }
    // Before a body that never came.
    while !output.is_empty() {
        let (answer, rest) = response(output, false);
        assert_eq!(answer.status, 100);
        continues += 1;
        output = rest;
    }
    assert!(turned_away(events) || continues == expected.continues);
}

// === the second opinion ===

/// Whether hyper reads such a request as RFC 9112 has it: its URIs hold fewer characters, and a `CONNECT` is a
/// tunnel to it.
fn is_plain(head: &strict::Head) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?&=".contains(&byte);
    head.method != "CONNECT" && head.target.starts_with('/') && head.target.bytes().all(is_plain)
}

/// What hyper serves: methods, targets, bodies.
async fn ask_hyper(input: &[u8]) -> Vec<(String, String, Vec<u8>)> {
    let (caller, stream) = tokio::io::duplex(64 * 1024);
    let served = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let served = Arc::clone(&served);
        async move {
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            let body = request.into_body().collect().await?.to_bytes().to_vec();
            served.lock().expect("nobody panics").push((method, target, body));
            Ok::<_, hyper::Error>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let timed = tokio::time::timeout(Duration::from_secs(1), connection);
    let (_, _) = tokio::join!(timed, send(caller, &[], input));
    std::mem::take(&mut *served.lock().expect("nobody panics"))
}

/// Whatever is served hyper would have served, too.
fn check_hyper(events: &[Event], by_hyper: &[(String, String, Vec<u8>)]) {
    let served = events.iter().map_while(|event| match event {
        Event::Served(request) => Some(request),
        Event::TurnedAway { .. } | Event::Refused => None,
    });
    for (index, request) in served.enumerate() {
        let (method, target, body) = by_hyper.get(index).expect("hyper refuses it");
        assert_eq!((method, target), (&request.head.method, &request.head.target));
        assert_eq!(*body, request.body);
    }
}
