//! Whole conversations: what a caller sends, what it gets. Over real sockets behind the supervisor, or, where
//! time matters, over a pipe with the clock paused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use koigate_core::answer::Answer;
use pingora::apps::ServerApp;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Admitted, Capacity, Door, Front, Head, Refusal, Request, Response};
use crate::buffered::Room;
use crate::server::{Ended, Parting, Stops, Supervisor};

mod buffered;
mod conversation;
mod crowd;
mod patience;
mod stopping;

/// The largest body that the tests' door takes.
const MAX_BODY: usize = 100_000;

/// A door that does what the path says.
#[derive(Debug, Default)]
struct Porch {
    /// Requests that reached `serve`.
    served: AtomicUsize,
    /// Answered `/wait`s start when this is notified.
    go: Notify,
    /// Serve futures that were dropped before they were done.
    dropped: Arc<AtomicUsize>,
    /// How many connections it takes.
    capacity: std::sync::Mutex<Option<Capacity>>,
    /// Where bodies count.
    room: Arc<Room>,
    /// Refusals that the edge made, in order.
    refusals: std::sync::Mutex<Vec<Refusal>>,
}

/// Counts if it is dropped before [`Unfinished::finish`].
struct Unfinished(Option<Arc<AtomicUsize>>);

impl Unfinished {
    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(dropped) = &self.0 {
            dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Porch {
    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    fn refusals(&self) -> Vec<Refusal> {
        self.refusals.lock().unwrap().clone()
    }
}

impl Door for Porch {
    type Pass = ();

    fn capacity(&self) -> Capacity {
        self.capacity.lock().unwrap().unwrap_or(Capacity::UNLIMITED)
    }

    fn admit(&self, head: &Head) -> Result<Admitted<()>, Box<Response>> {
        match head.path() {
            "/busy" => Err(Refusal::Overloaded.into()),
            "/panic-early" => panic!("at the door"),
            _ => Ok(Admitted {
                pass: (),
                max_body: MAX_BODY,
                held: self.room.open(),
            }),
        }
    }

    async fn serve(&self, (): (), request: Request) -> Response {
        self.served.fetch_add(1, Ordering::SeqCst);
        let unfinished = Unfinished(Some(Arc::clone(&self.dropped)));
        let response = match request.head.path() {
            "/echo" => echo(&request),
            "/wait" => {
                self.go.notified().await;
                echo(&request)
            }
            "/own" => Response::text(200, if request.uncounted.is_some() { "yes" } else { "no" }),
            "/close" => Response::text(200, "last").closing(),
            "/panic" => panic!("in the room"),
            "/split" => Response::text(200, "x").with("X-Bad", "a\r\nX-Injected: yes"),
            "/large" => Response::text(200, &"z".repeat(300_000)),
            _ => Answer::no_content().into(),
        };
        unfinished.finish();
        response
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        self.refusals.lock().unwrap().push(refusal);
        refusal.into()
    }
}

fn echo(request: &Request) -> Response {
    Answer {
        status: 200,
        body: request.body.clone(),
        ..Answer::no_content()
    }
    .into()
}

/// A supervisor that runs with one [`Porch`].
struct House {
    address: SocketAddr,
    porch: Arc<Porch>,
    stop: mpsc::UnboundedSender<()>,
    run: JoinHandle<Ended>,
}

impl House {
    async fn open() -> Self {
        let porch = Arc::new(Porch::default());
        let mut supervisor = Supervisor::new();
        let listen = [SocketAddr::from(([127, 0, 0, 1], 0))];
        let address = supervisor.listen("porch", &listen, Arc::clone(&porch)).unwrap()[0];
        let (stop, stops) = Stops::told();
        Self {
            address,
            porch,
            stop,
            run: tokio::spawn(supervisor.run(stops, || Parting::USUAL)),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends all of this on a connection of its own and reads until the other side ends it.
    async fn say(&self, input: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A refusal may come, and the connection end, before all is sent.
        let _ = stream.write_all(input).await;
        read_to_end(&mut stream).await
    }

    async fn stop(self) -> Ended {
        self.stop.send(()).unwrap();
        self.run.await.unwrap()
    }
}

/// Everything until the other side ends, without the `Date` lines.
async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
    undated(&bytes)
}

/// One response with its body, without its `Date` line.
async fn read_response(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(
            timeout(Duration::from_secs(20), stream.read_u8())
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let head = undated(&bytes);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn undated(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Date: "))
        .collect()
}

fn request(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn last(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn refused(refusal: Refusal) -> String {
    let (status, text) = match refusal {
        Refusal::BadRequest => ("400 Bad Request", koigate_core::texts::BAD_REQUEST),
        Refusal::TooLarge => ("413 Payload Too Large", koigate_core::texts::BODY_TOO_LARGE),
        Refusal::Overloaded => ("503 Service Unavailable", koigate_core::texts::OVERLOADED),
        Refusal::Auth | Refusal::Source | Refusal::Method | Refusal::Path => {
            unreachable!("the porch lets everybody in")
        }
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

/// Waits until something that another task does has happened.
async fn until(happened: impl Fn() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting)
        .await
        .expect("it never happened");
}
