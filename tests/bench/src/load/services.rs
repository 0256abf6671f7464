//! Callback services that cost next to nothing: all on one thread, every reply made once.
//!
//! The last segment of the path says what a service does:
//!
//! | path | reply |
//! | --- | --- |
//! | `204` | 204 |
//! | `close` | 204, and the connection is closed without a word about it |
//! | `slow` | 204; from the fifth service on only after a second |
//! | `reject` | 403 with a text |
//! | `reject-25` | the first service refuses so many of a hundred, the others say 204 |
//! | `first-reject` | the first service refuses at once, the others say 204 after 200 ms |
//! | `echo-2m` | the document of this size with one column more, as Python spells it |
//! | `mixed-2m` | the same, as the services' languages spell it: Python's, Node's, sorted as Flask's, ... |
//! | `patch-2m` | the column alone |

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use koigate_bench::documents::Size;
use koigate_bench::tree::{Spelling, Tree};
use koigate_bench::{text, with_column};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::wire::{Heard, Inbox, Outbox, READ};

/// How long a slow service takes.
const SLOW: Duration = Duration::from_secs(1);

/// How long one takes that is slower than the one that refuses.
const SLOWER: Duration = Duration::from_millis(200);

/// All services, and who is connected to them.
struct Services {
    poll: Poll,
    listeners: Vec<TcpListener>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Replies that have to wait, the next first: which connection, and the how-manieth that had its place.
    waiting: VecDeque<(Instant, usize, u64, Arc<[u8]>)>,
    replies: HashMap<(usize, String), Option<Arc<[u8]>>>,
    /// How many calls each service has had that it might refuse.
    calls: Vec<usize>,
    accepted: u64,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    service: usize,
    serial: u64,
    inbox: Inbox,
    outbox: Outbox,
    is_last: bool,
}

/// Serves one service at each of these ports of 127.0.0.1 until the process is ended.
///
/// # Errors
///
/// A port is in use.
pub(crate) fn serve(ports: &[u16]) -> io::Result<()> {
    let poll = Poll::new()?;
    let mut listeners = Vec::new();
    for (nth, &port) in ports.iter().enumerate() {
        let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into())?;
        poll.registry()
            .register(&mut listener, Token(nth), Interest::READABLE)?;
        listeners.push(listener);
    }
    let mut services = Services {
        poll,
        calls: vec![0; listeners.len()],
        listeners,
        connections: Vec::new(),
        free: Vec::new(),
        waiting: VecDeque::new(),
        replies: HashMap::new(),
        accepted: 0,
        buffer: vec![0; READ],
    };
    let mut events = Events::with_capacity(1024);
    loop {
        services.wait(&mut events)?;
        for event in &events {
            let token = event.token().0;
            match token.checked_sub(services.listeners.len()) {
                None => services.accept(token)?,
                Some(place) => services.attend(place),
            }
        }
        services.send_what_waited();
    }
}

impl Services {
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let next = self.waiting.front();
        let timeout = next.map(|(due, ..)| due.saturating_duration_since(Instant::now()));
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn accept(&mut self, service: usize) -> io::Result<()> {
        while let Some(Ok((mut stream, _))) = self.listeners.get(service).map(TcpListener::accept) {
            stream.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let token = Token(place + self.listeners.len());
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, both)?;
            self.accepted += 1;
            let connection = Connection {
                stream,
                service,
                serial: self.accepted,
                inbox: Inbox::default(),
                outbox: Outbox::default(),
                is_last: false,
            };
            if let Some(free) = self.connections.get_mut(place) {
                *free = Some(connection);
            }
        }
        Ok(())
    }

    /// Reads and writes at one connection what can be.
    fn attend(&mut self, place: usize) {
        let Some(mut connection) = self.connections.get_mut(place).and_then(Option::take) else {
            return;
        };
        let stays = self.exchange(&mut connection, place).unwrap_or(false);
        if !stays {
            self.free.push(place);
        } else if let Some(taken) = self.connections.get_mut(place) {
            *taken = Some(connection);
        }
    }

    /// Says whether the connection stays.
    fn exchange(&mut self, connection: &mut Connection, place: usize) -> io::Result<bool> {
        connection.outbox.go_on(&mut connection.stream)?;
        match connection.inbox.read(&mut connection.stream, &mut self.buffer)? {
            Heard::Part => {}
            Heard::End => return Ok(false),
            Heard::Whole => self.answer(connection, place)?,
        }
        Ok(!(connection.is_last && connection.outbox.is_empty()))
    }

    fn answer(&mut self, connection: &mut Connection, place: usize) -> io::Result<()> {
        let path = connection.inbox.path().to_owned();
        let what = path.rsplit('/').next().unwrap_or_default();
        let service = connection.service;
        connection.is_last = what == "close";
        let takes = match what {
            "slow" if service >= 4 => Some(SLOW),
            "first-reject" if service > 0 => Some(SLOWER),
            _ => None,
        };
        let reply = self.reply(service, what);
        connection.inbox.clear();
        if let Some(takes) = takes {
            let due = Instant::now() + takes;
            let next = self.waiting.partition_point(|(earlier, ..)| *earlier <= due);
            self.waiting.insert(next, (due, place, connection.serial, reply));
            return Ok(());
        }
        connection.outbox.send(&mut connection.stream, reply)
    }

    fn send_what_waited(&mut self) {
        let now = Instant::now();
        while self.waiting.front().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, place, serial, reply)) = self.waiting.pop_front() else {
                return;
            };
            let connection = self.connections.get_mut(place).and_then(Option::as_mut);
            if let Some(connection) = connection.filter(|connection| connection.serial == serial) {
                // A connection that is broken by now is found out when it is read.
                let _ = connection.outbox.send(&mut connection.stream, reply);
            }
        }
    }

    fn reply(&mut self, service: usize, what: &str) -> Arc<[u8]> {
        let what = match what.strip_prefix("reject-").and_then(|share| share.parse().ok()) {
            Some(share) if service == 0 && self.refuses(service, share) => "reject",
            Some(_) => "204",
            None if what == "first-reject" && service == 0 => "reject",
            None => what,
        };
        let key = (service, what.to_owned());
        let made = self.replies.entry(key).or_insert_with(|| body(service, what));
        made.clone().unwrap_or_else(|| NOTHING.into())
    }

    /// Whether the next call is one of `share` in a hundred, spread evenly.
    fn refuses(&mut self, service: usize, share: usize) -> bool {
        let Some(calls) = self.calls.get_mut(service) else {
            return false;
        };
        *calls += 1;
        *calls * share / 100 > (*calls - 1) * share / 100
    }
}

const NOTHING: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// What a service replies to this, but for 204.
fn body(service: usize, what: &str) -> Option<Arc<[u8]>> {
    if what == "reject" {
        let reason = format!("拒绝：服务 {service} 不允许测试");
        return Some(whole("403 Forbidden", "text/plain; charset=utf-8", &reason));
    }
    let (kind, size) = what.split_once('-')?;
    let size = Size::named(size).ok()?;
    let column = format!("附加{service}");
    let spelling = match (kind, service % 3) {
        ("echo" | "patch", _) | ("mixed", 0) => Spelling::PYTHON,
        ("mixed", 1) => Spelling::NODE,
        ("mixed", _) => Spelling::FLASK,
        _ => return None,
    };
    let reply = if kind == "patch" {
        let column = (&*column, Tree::Array(vec![text("ok"); size.nodes]));
        Tree::object([("result", Tree::object([column]))])
    } else {
        with_column(&size.document(), &column)
    };
    Some(whole("200 OK", "application/json", &reply.spell(spelling)))
}

fn whole(status: &str, media_type: &str, body: &str) -> Arc<[u8]> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body.as_bytes()].concat().into()
}
