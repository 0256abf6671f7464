//! A backend that does what a script says, connection by connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

/// What a backend does next on a connection. After the last one it closes.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Reads one whole request.
    Hear,
    /// Reads so many bytes.
    HearSome(usize),
    /// Writes these bytes.
    Say(Vec<u8>),
    /// Writes these bytes one by one, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Writes these bytes again and again, for as long as somebody takes them.
    Repeat(Vec<u8>),
    /// Waits.
    Pause(Duration),
    /// Closes so that the other side sees a reset.
    Reset,
    /// Never does anything again, and keeps the connection open.
    Hang,
}

/// A backend on a port of its own. It ends with the runtime of its test.
pub(super) struct Fake {
    /// Where it is.
    pub(super) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

pub(super) fn say(bytes: impl AsRef<[u8]>) -> Act {
    Act::Say(bytes.as_ref().to_vec())
}

/// A whole reply without a body.
pub(super) fn no_content() -> Act {
    say("HTTP/1.1 204 No Content\r\n\r\n")
}

/// A whole reply with this body.
pub(super) fn ok(body: &str) -> Act {
    say(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Fake {
    /// The first connection gets the first script, and so on; the last script serves all that follow.
    pub(super) async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            open: Arc::default(),
            heard: Arc::default(),
        };
        let (accepted, open, heard) = (fake.accepted.clone(), fake.open.clone(), fake.heard.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let index = accepted.fetch_add(1, Ordering::SeqCst).min(scripts.len() - 1);
                open.fetch_add(1, Ordering::SeqCst);
                let (script, open, heard) = (scripts[index].clone(), open.clone(), heard.clone());
                tokio::spawn(async move {
                    play(stream, script, &heard).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        fake
    }

    /// How many connections it has accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The whole requests it has heard, in order.
    pub(super) fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until so many connections are open.
    pub(super) async fn until_open(&self, count: usize) {
        let waited = async {
            while self.open.load(Ordering::SeqCst) != count {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(5), waited)
            .await
            .unwrap_or_else(|_| panic!("{} connections are open", self.open.load(Ordering::SeqCst)));
    }
}

/// Plays a script until it ends or the other side is gone.
async fn play(mut stream: TcpStream, script: Vec<Act>, heard: &Mutex<Vec<Vec<u8>>>) {
    stream.set_nodelay(true).unwrap();
    for act in script {
        let outcome = match act {
            Act::Hear => match hear(&mut stream).await {
                Ok(request) => {
                    heard.lock().unwrap().push(request);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Act::HearSome(length) => stream.read_exact(&mut vec![0; length]).await.map(drop),
            Act::Say(bytes) => stream.write_all(&bytes).await,
            Act::Drip(bytes, pause) => drip(&mut stream, &bytes, pause).await,
            Act::Repeat(bytes) => loop {
                if let Err(error) = stream.write_all(&bytes).await {
                    break Err(error);
                }
            },
            Act::Pause(pause) => {
                sleep(pause).await;
                Ok(())
            }
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Act::Hang => hang(&mut stream).await,
        };
        if outcome.is_err() {
            return;
        }
    }
}

async fn drip(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    for byte in bytes {
        sleep(pause).await;
        stream.write_all(&[*byte]).await?;
    }
    Ok(())
}

/// Reads one request by its `Content-Length`.
async fn hear(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(request.clone()).unwrap();
    let length = head
        .split("Content-Length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    request.extend_from_slice(&body);
    Ok(request)
}

/// Does nothing for a while, then waits for the other side to go.
async fn hang(stream: &mut TcpStream) -> std::io::Result<()> {
    sleep(Duration::from_millis(100)).await;
    let mut dropped = vec![0; 64 * 1024];
    while stream.read(&mut dropped).await? > 0 {}
    Err(std::io::ErrorKind::ConnectionAborted.into())
}

/// An address that takes no connection and refuses none: what it is sent is dropped. Holds what it takes.
pub(super) struct BlackHole {
    /// Where it is.
    pub(super) address: SocketAddr,
    _listener: std::net::TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    /// Fills a queue of connections that nobody accepts, until the system drops what more comes.
    pub(super) async fn start() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            waiting.push(stream);
            assert!(waiting.len() < 100, "the queue has an end");
        }
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}

/// How long this takes, and what it brings.
pub(super) async fn timed<T>(future: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let outcome = future.await;
    (start.elapsed(), outcome)
}
