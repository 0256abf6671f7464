//! Callers that send one hook after the other, each on its own connection, and what they see of the answers.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::wire::{Heard, Inbox, Outbox, READ};

/// What is called, and by how many.
pub(crate) struct Load {
    /// Where to.
    pub(crate) to: SocketAddr,
    /// The whole request, the same each time.
    pub(crate) request: Arc<[u8]>,
    /// How many connections.
    pub(crate) connections: usize,
    /// For how long.
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the first byte of a hook to the last of its answer, each, in microseconds.
    micros: Vec<u32>,
    /// How often each status came.
    statuses: BTreeMap<u16, u64>,
    /// Hooks without an answer: their connection broke, or the answer never came.
    errors: u64,
    took: Duration,
}

struct Caller {
    stream: TcpStream,
    inbox: Inbox,
    outbox: Outbox,
    since: Instant,
    /// Whether a hook is under way.
    is_asking: bool,
}

/// Sends hooks until the time is over, and waits for the answers of those that are under way then.
///
/// # Errors
///
/// Nobody listens, or this process can't have as many connections.
pub(crate) fn call(load: &Load) -> io::Result<Seen> {
    let mut poll = Poll::new()?;
    let mut callers = Vec::with_capacity(load.connections);
    for nth in 0..load.connections {
        callers.push(Caller::new(load, &poll, Token(nth))?);
    }
    let mut seen = Seen::default();
    let begin = Instant::now();
    let end = begin + load.time;
    for caller in &mut callers {
        caller.ask(load)?;
    }
    let mut asking = callers.len();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; READ];
    while asking > 0 && Instant::now() < end + PATIENCE {
        match poll.poll(&mut events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            let caller = callers.get_mut(event.token().0);
            let Some(caller) = caller.filter(|caller| caller.is_asking) else {
                continue;
            };
            let is_time = |now: Instant| now < end;
            if caller.attend(load, &mut seen, &mut buffer, is_time).is_err() {
                seen.errors += 1;
                *caller = Caller::new(load, &poll, event.token())?;
                if is_time(Instant::now()) {
                    caller.ask(load)?;
                }
            }
            asking -= usize::from(!caller.is_asking);
        }
    }
    seen.errors += asking as u64;
    seen.took = load.time;
    Ok(seen)
}

/// How long an answer is waited for once the time is over.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl Caller ===

impl Caller {
    fn new(load: &Load, poll: &Poll, token: Token) -> io::Result<Self> {
        // On the loopback a connection is there at once, or refused.
        let stream = std::net::TcpStream::connect(load.to)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, token, both)?;
        Ok(Self {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            since: Instant::now(),
            is_asking: false,
        })
    }

    fn ask(&mut self, load: &Load) -> io::Result<()> {
        self.is_asking = true;
        self.since = Instant::now();
        self.outbox.send(&mut self.stream, load.request.clone())
    }

    /// Sends and reads what can be; after an answer it asks again while there is time.
    ///
    /// # Errors
    ///
    /// The connection breaks before the answer is whole.
    fn attend(
        &mut self,
        load: &Load,
        seen: &mut Seen,
        buffer: &mut [u8],
        is_time: impl Fn(Instant) -> bool,
    ) -> io::Result<()> {
        self.outbox.go_on(&mut self.stream)?;
        match self.inbox.read(&mut self.stream, buffer)? {
            Heard::Part => Ok(()),
            Heard::End => Err(ErrorKind::UnexpectedEof.into()),
            Heard::Whole => {
                let now = Instant::now();
                let micros = now.duration_since(self.since).as_micros();
                seen.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
                *seen.statuses.entry(self.inbox.status().unwrap_or(0)).or_default() += 1;
                self.inbox.clear();
                self.is_asking = false;
                if is_time(now) { self.ask(load) } else { Ok(()) }
            }
        }
    }
}

// === impl Seen ===

impl Seen {
    /// As one line of JSON.
    pub(crate) fn into_json(mut self) -> String {
        self.micros.sort_unstable();
        let answers = self.micros.len();
        let share = |of: usize| {
            self.micros
                .get((answers * of / 1000).min(answers.saturating_sub(1)))
        };
        let millis = |of: usize| share(of).map_or(0.0, |&micros| f64::from(micros) / 1000.0);
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("\"{status}\": {count}"))
            .collect();
        format!(
            "{{\"answers\": {answers}, \"errors\": {}, \"seconds\": {:.3}, \"p50_ms\": {}, \"p90_ms\": {}, \
             \"p99_ms\": {}, \"max_ms\": {}, \"statuses\": {{{}}}}}",
            self.errors,
            self.took.as_secs_f64(),
            millis(500),
            millis(900),
            millis(990),
            millis(1000),
            statuses.join(", ")
        )
    }
}
