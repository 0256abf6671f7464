//! Backends that can be told anything: a listener of its own each, a script for every request, and a record of
//! what was asked.
//!
//! A test reads as a sentence: `backend("limits").rejects(403, "今日次数已用完").starts()`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::python::{self, Value};
use super::reply::{self, Reply};
use super::script::{Ending, Script};
use super::wire::{Head, PATIENCE, Wire};

/// A backend that runs until it is dropped.
pub(crate) struct Backend {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    url: String,
    settings: String,
    seen: Arc<Seen>,
    accepting: Option<JoinHandle<()>>,
}

/// A backend that is still being told what to do.
pub(crate) struct Told {
    name: String,
    url: String,
    settings: String,
    does: Behaviour,
    memory: Memory,
}

/// Whether a backend keeps the requests that it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Memory {
    #[default]
    Keeps,
    Forgets,
}

type Answer = dyn Fn(&Request) -> Script + Send + Sync;

/// One request as it reached a backend.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    /// How many requests this connection has brought before.
    pub(crate) earlier: usize,
    /// When it was whole.
    pub(crate) at: Instant,
}

/// What a backend has seen so far.
#[derive(Default)]
struct Seen {
    memory: Memory,
    requests: Mutex<Vec<Request>>,
    opened: AtomicUsize,
    open: AtomicUsize,
}

/// A backend of this name; until it is told otherwise it answers 204.
pub(crate) fn backend(name: &str) -> Told {
    Told {
        name: name.to_owned(),
        url: "http://{address}/{hook}".to_owned(),
        settings: String::new(),
        does: Behaviour {
            tls: None,
            greeting: None,
            answer: Arc::new(|_| reply::no_content().into()),
        },
        memory: Memory::default(),
    }
}

// === impl Told ===

impl Told {
    /// Answers every request so.
    pub(crate) fn replies(self, script: impl Into<Script>) -> Self {
        let script = script.into();
        self.replies_with(move |_| script.clone())
    }

    /// Answers each request by what it is.
    pub(crate) fn replies_with<S: Into<Script>>(
        mut self,
        answer: impl Fn(&Request) -> S + Send + Sync + 'static,
    ) -> Self {
        self.does.answer = Arc::new(move |request| answer(request).into());
        self
    }

    /// Answers hooks of this name so, and all others as told before.
    pub(crate) fn on(mut self, hook: &str, script: impl Into<Script>) -> Self {
        let (hook, script, otherwise) = (hook.to_owned(), script.into(), self.does.answer);
        self.does.answer = Arc::new(move |request| {
            if request.hook() == hook {
                script.clone()
            } else {
                otherwise(request)
            }
        });
        self
    }

    /// Refuses with a text.
    pub(crate) fn rejects(self, status: u16, text: &str) -> Self {
        self.replies(reply::reject(status, text))
    }

    /// Gives the whole document back, with this changed, in Python's spelling.
    pub(crate) fn echoes(self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.echoes_as(python::Spelling::Python, edit)
    }

    /// Gives the whole document back with one place set to this.
    pub(crate) fn sets(self, pointer: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.echoes(move |document| {
            document.set(pointer, value.clone());
        })
    }

    /// Gives the whole document back, with this changed, as another language spells it.
    pub(crate) fn echoes_as(
        self,
        spelling: python::Spelling,
        edit: impl Fn(&mut Value) + Send + Sync + 'static,
    ) -> Self {
        self.replies_with(move |request| {
            let mut document = request.document();
            edit(&mut document);
            reply::json_body(document.spelled(spelling))
        })
    }

    /// Speaks TLS with this certificate.
    pub(crate) fn secured(mut self, tls: TlsAcceptor) -> Self {
        self.does.tls = Some(tls);
        self
    }

    /// Begins to talk as soon as a connection is accepted, before any request is read.
    pub(crate) fn greets(mut self, script: impl Into<Script>) -> Self {
        self.does.greeting = Some(script.into());
        self
    }

    /// Sets further keys of its table in the configuration: lines of TOML.
    pub(crate) fn set(mut self, lines: &str) -> Self {
        self.settings = format!("{}{lines}\n", self.settings);
        self
    }

    /// Is configured under this URL, in which `{address}` and `{port}` are its own.
    pub(crate) fn at(mut self, url: &str) -> Self {
        self.url = url.to_owned();
        self
    }

    /// Keeps no requests: where there are too many to look at.
    pub(crate) fn forgets(mut self) -> Self {
        self.memory = Memory::Forgets;
        self
    }

    /// Begins to listen.
    pub(crate) fn starts(self) -> Backend {
        self.starts_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Begins to listen where another has listened before.
    pub(crate) fn starts_at(self, address: SocketAddr) -> Backend {
        let listener = std::net::TcpListener::bind(address).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let listener = TcpListener::from_std(listener).expect("within a runtime");
        let mut backend = self.named(listener.local_addr().expect("a bound socket"));
        let seen = Arc::clone(&backend.1.seen);
        backend.1.accepting = Some(tokio::spawn(accept(listener, Arc::new(backend.0), seen)));
        backend.1
    }

    /// Never listens: its port is closed, and stays so, since a socket of ours is bound to it.
    pub(crate) fn never_listens(self) -> Backend {
        let socket = bound();
        let (_, mut backend) = self.named(socket.local_addr().expect("a bound socket"));
        backend.accepting = Some(holds(socket));
        backend
    }

    /// Is as good as unreachable: the queue of its listener is full, so that further SYNs are dropped.
    pub(crate) async fn drops_syns(self) -> Backend {
        let listener = bound().listen(1).expect("a bound socket");
        let (_, mut backend) = self.named(listener.local_addr().expect("a bound socket"));
        let mut queue = Vec::new();
        let filling = Duration::from_millis(200);
        while let Ok(stream) = tokio::time::timeout(filling, TcpStream::connect(backend.address)).await {
            queue.push(stream.expect("a queue that isn't full yet"));
        }
        backend.accepting = Some(holds((listener, queue)));
        backend
    }

    /// The backend at this address, and what it does there.
    fn named(self, address: SocketAddr) -> (Behaviour, Backend) {
        let url = self.url.replace("{address}", &address.to_string());
        let backend = Backend {
            name: self.name,
            address,
            url: url.replace("{port}", &address.port().to_string()),
            settings: self.settings,
            seen: Arc::new(Seen {
                memory: self.memory,
                ..Seen::default()
            }),
            accepting: None,
        };
        (self.does, backend)
    }
}

// === impl Backend ===

impl Backend {
    /// Its table in the configuration.
    pub(crate) fn to_toml(&self) -> String {
        format!(
            "[backends.{}]\nurl = \"{}\"\n{}",
            self.name, self.url, self.settings
        )
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen
            .requests
            .lock()
            .expect("no test panics while it holds this")
            .clone()
    }

    /// The only request so far.
    pub(crate) fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{} was not asked exactly once", self.name);
        requests.remove(0)
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.requests().len()
    }

    /// How many connections it has accepted.
    pub(crate) fn opened(&self) -> usize {
        self.seen.opened.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub(crate) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// Waits until as many connections are open.
    pub(crate) async fn has_open(&self, connections: usize) {
        self.comes_to(|backend| backend.open() == connections, "connections")
            .await;
    }

    /// Waits until it was asked as often.
    pub(crate) async fn was_asked(&self, times: usize) {
        self.comes_to(|backend| backend.asked() >= times, "requests")
            .await;
    }

    async fn comes_to(&self, there: impl Fn(&Self) -> bool, what: &str) {
        let begun = Instant::now();
        while !there(self) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{}: {what} after {PATIENCE:?}: {} open, {} asked",
                self.name,
                self.open(),
                self.asked()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

// === impl Request ===

impl Request {
    /// The hook's name as the gateway says it.
    pub(crate) fn hook(&self) -> &str {
        self.head.value("x-koigate-hook").unwrap_or_default()
    }

    /// The body as a document.
    pub(crate) fn document(&self) -> Value {
        python::json(&self.body)
    }
}

// === what a backend does ===

struct Behaviour {
    tls: Option<TlsAcceptor>,
    greeting: Option<Script>,
    answer: Arc<Answer>,
}

/// A socket on a free port of 127.0.0.1 that doesn't listen yet.
fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    socket
}

/// A task that keeps something until it is aborted.
fn holds(kept: impl Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        let _kept = kept;
        std::future::pending::<()>().await;
    })
}

async fn accept(listener: TcpListener, behaviour: Arc<Behaviour>, seen: Arc<Seen>) {
    // Dropped with this task, and every conversation with it.
    let mut conversations = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        seen.opened.fetch_add(1, Ordering::SeqCst);
        seen.open.fetch_add(1, Ordering::SeqCst);
        let (behaviour, seen) = (Arc::clone(&behaviour), Arc::clone(&seen));
        conversations.spawn(async move {
            serve(stream, &behaviour, &seen).await;
            seen.open.fetch_sub(1, Ordering::SeqCst);
        });
        while conversations.try_join_next().is_some() {}
    }
}

/// One connection from its first byte to its last. An error is a peer that has gone: nothing that a backend
/// would care about.
async fn serve(stream: TcpStream, behaviour: &Behaviour, seen: &Seen) {
    let mut wire = match &behaviour.tls {
        None => Wire::new(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Wire::new(stream),
            Err(_) => return,
        },
    };
    match converse(&mut wire, behaviour, seen).await {
        Ok(Ending::Reset) => wire.reset(),
        // A TLS connection says goodbye before it closes.
        _ => drop(wire.finish().await),
    }
}

async fn converse(wire: &mut Wire, behaviour: &Behaviour, seen: &Seen) -> std::io::Result<Ending> {
    if let Some(greeting) = &behaviour.greeting {
        match greeting.play(wire).await? {
            Ending::Open => {}
            ending => return Ok(ending),
        }
    }
    for earlier in 0.. {
        let Some(head) = wire.head().await? else { break };
        let body = wire.body(&head).await?;
        let request = Request {
            head,
            body,
            earlier,
            at: Instant::now(),
        };
        if seen.memory == Memory::Keeps {
            let mut requests = seen.requests.lock().expect("no test panics while it holds this");
            requests.push(request.clone());
        }
        match (behaviour.answer)(&request).play(wire).await? {
            Ending::Open => {}
            ending => return Ok(ending),
        }
    }
    Ok(Ending::Close)
}

/// A reply that is one thing the first time a connection is used and another afterwards.
pub(crate) fn at_first(first: Reply, then: Script) -> impl Fn(&Request) -> Script + Send + Sync {
    move |request| {
        if request.earlier == 0 {
            first.clone().into()
        } else {
            then.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reply::{json_body, no_content, text};
    use super::super::script::script;
    use super::*;

    const HOOK: &str = "POST /onResult HTTP/1.1\r\nX-Koigate-Hook: onResult\r\nContent-Length: 2\r\n\r\n{}";

    /// Asks once and gives back every byte until the backend closes.
    async fn all_of(told: Told) -> String {
        let backend = told.starts();
        let mut wire = Wire::connect(backend.address).await;
        wire.write(HOOK).await.unwrap();
        String::from_utf8_lossy(&wire.closed().await).into_owned()
    }

    #[tokio::test]
    async fn plays_scripts_byte_for_byte() {
        for (told, expected) in [
            (
                backend("a").replies(script().sends("HTT").waits(1).drips("P/", 1).closes()),
                "HTTP/",
            ),
            (backend("a").replies(script().sends("x").half_closes()), "x"),
            (backend("a").replies(script().sends("x").resets()), ""),
            (backend("a").greets(script().sends("early").closes()), "early"),
            (
                backend("a").replies(text("hi").until_close()),
                "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhi",
            ),
        ] {
            let got = all_of(told).await;
            // What was sent before a reset may or may not arrive.
            assert!(
                got == expected || (expected.is_empty() && got == "x"),
                "{got:?}, not {expected:?}"
            );
        }
    }

    #[tokio::test]
    async fn keeps_connections_and_records_requests() {
        let backend = backend("a")
            .replies_with(at_first(
                no_content(),
                script().sends("HTTP/1.1 204 Stale\r\n\r\n").stalls(),
            ))
            .starts();
        let mut wire = Wire::connect(backend.address).await;
        for line in ["HTTP/1.1 204 OK", "HTTP/1.1 204 Stale"] {
            wire.write(HOOK).await.unwrap();
            assert_eq!(wire.answered().await.head.line, line);
        }
        assert_eq!((backend.opened(), backend.open(), backend.asked()), (1, 1, 2));
        let request = &backend.requests()[1];
        assert_eq!(
            (request.hook(), request.earlier, &request.body[..]),
            ("onResult", 1, &b"{}"[..])
        );
        drop(wire);
        backend.has_open(0).await;
    }

    #[tokio::test]
    async fn answers_by_hook_and_in_chunks() {
        let body = json_body(r#"{"a": 1}"#);
        let backend = backend("a")
            .rejects(403, "no")
            .on("onResult", body.chunked(3))
            .starts();
        let mut wire = Wire::connect(backend.address).await;
        wire.write(HOOK).await.unwrap();
        wire.write(HOOK.replace("onResult", "onMessage")).await.unwrap();
        let first = wire.answered().await;
        assert_eq!((first.status, first.text().as_str()), (200, r#"{"a": 1}"#));
        let second = wire.answered().await;
        assert_eq!((second.status, second.text().as_str()), (403, "no"));
    }

    #[tokio::test]
    async fn some_backends_can_not_be_reached() {
        let down = backend("down").never_listens();
        assert!(TcpStream::connect(down.address).await.is_err());
        let deaf = backend("deaf").drops_syns().await;
        let trying = TcpStream::connect(deaf.address);
        assert!(
            tokio::time::timeout(Duration::from_millis(100), trying)
                .await
                .is_err()
        );
        assert_eq!(
            deaf.to_toml(),
            format!("[backends.deaf]\nurl = \"http://{}/{{hook}}\"\n", deaf.address)
        );
    }
}
