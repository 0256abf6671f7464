//! A lane over what a real observer seldom meets: faults of the gateway's own, and answers that leave faster than notices
//! are made.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

use koigate_config::Process;
use koigate_core::hook::HookName;
use koigate_core::outcome::HookVerdict;
use koigate_core::plan::{LogFormat, LogLevel};
use koigate_core::view::Base;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::super::queue::Overflow;
use super::*;
use crate::ids::Ids;
use crate::live::Ground;
use crate::logging::tests::written;
use crate::metrics::{Metrics, NoticeCounts};
use crate::observers::Account;
use crate::outbound::Connector;

const OBSERVER: BackendId = BackendId(1);

/// A plan with an observer there, as it lives.
fn running(observer: SocketAddr) -> Arc<Running> {
    let text = format!(
        "[backends.a]\nurl = 'http://127.0.0.1:9/'\n[backends.stats]\nurl = 'http://{observer}/'\n\
         [hooks.onMessage]\nchain = ['a']\nobservers = ['stats']\n\
         [server]\nmax_body = '8KiB'\nmax_buffered = '64KiB'\n[defaults]\nmax_reply = '8KiB'\n"
    );
    let plan = koigate_config::parse(&text, "test", &Process).unwrap().plan;
    let ground = Ground {
        connector: Connector::new().unwrap(),
        metrics: Arc::new(Metrics::new().unwrap()),
        room: Arc::default(),
    };
    Arc::new(Running::new(plan, None, &ground))
}

/// Of a hook whose document has so many bytes.
fn tidings(running: &Arc<Running>, bytes: usize) -> Arc<Tidings> {
    let name = HookName::new("onMessage").unwrap();
    let ids = Ids::new(None);
    Arc::new(Tidings {
        running: running.clone(),
        hook: running.hook(&name).unwrap().clone(),
        account: Account::of_broken(&ids.request, &name, (Duration::ZERO, 204)),
        name,
        ids,
        verdict: HookVerdict::Continue,
        document: Arc::new(Base::new(vec![b' '; bytes].into())),
    })
}

fn lane<Q: Queue>(running: &Arc<Running>, queue: impl Fn(plan::Queue) -> Q) -> Lane<Q> {
    let observer = running.plan.backend(OBSERVER).unwrap();
    Lane::new(observer, queue(observer.queue))
}

fn ended(running: &Running) -> NoticeCounts {
    running.notice_counts(OBSERVER).unwrap()
}

/// A queue in memory that breaks at these moments, once each.
struct Breaks {
    queue: InMemory,
    push: AtomicBool,
    waiting: AtomicBool,
}

impl Queue for Breaks {
    async fn push(&self, notice: Notice) -> Result<(), Overflow> {
        assert!(!self.push.swap(false, Ordering::Relaxed), "broken");
        self.queue.push(notice).await
    }

    async fn first(&self) -> Notice {
        self.queue.first().await
    }

    async fn settle(&self, key: &Key) {
        self.queue.settle(key).await;
    }

    fn limit_to(&self, limits: plan::Queue) {
        self.queue.limit_to(limits);
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.queue.has_room(bytes)
    }

    fn waiting(&self) -> Waiting {
        assert!(!self.waiting.swap(false, Ordering::Relaxed), "broken");
        self.queue.waiting()
    }
}

/// A queue in memory that tells on which thread it is pushed to.
struct Apart {
    queue: InMemory,
    tell: mpsc::UnboundedSender<Option<String>>,
}

impl Queue for Apart {
    async fn push(&self, notice: Notice) -> Result<(), Overflow> {
        let name = std::thread::current().name().map(str::to_owned);
        self.tell.send(name).expect("the test waits");
        self.queue.push(notice).await
    }

    async fn first(&self) -> Notice {
        self.queue.first().await
    }

    async fn settle(&self, key: &Key) {
        self.queue.settle(key).await;
    }

    fn limit_to(&self, limits: plan::Queue) {
        self.queue.limit_to(limits);
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.queue.has_room(bytes)
    }

    fn waiting(&self) -> Waiting {
        self.queue.waiting()
    }
}

/// One that is not well at first, and then takes everything.
async fn falls_ill_once() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut status = "503 Service Unavailable";
        while let Ok((mut stream, _)) = listener.accept().await {
            // The requests are small, and come in one piece.
            let _ = stream.read(&mut [0; 64 * 1024]).await;
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(reply.as_bytes()).await;
            status = "200 OK";
        }
    });
    address
}

/// A notice at which the gateway itself breaks is counted, and is no reason to tell nothing any more, or to wait for it
/// at the end.
#[tokio::test]
async fn a_panic_is_one_notices_end() {
    let running = running(falls_ill_once().await);
    let lane = lane(&running, |limits| Breaks {
        queue: InMemory::new(limits),
        push: AtomicBool::new(true),
        waiting: AtomicBool::new(true),
    });
    lane.go_by(&running, running.plan.backend(OBSERVER).unwrap().queue);
    // The first breaks while it is packed, the second when it was delivered at last.
    for _ in 0..3 {
        lane.take(OBSERVER, &tidings(&running, 10));
    }
    timeout(Duration::from_secs(20), lane.finish())
        .await
        .expect("nothing waits for ever");
    let ended = ended(&running);
    assert_eq!((ended.broken, ended.delivered), (2, 1), "{ended:?}");
    assert_eq!(ended.lost(), 2);
}

/// Who floods or has much to be told is in the way of nobody whom the hooks' threads serve.
#[tokio::test]
async fn a_lane_works_apart_from_the_hooks() {
    let running = running(falls_ill_once().await);
    let (tell, mut told) = mpsc::unbounded_channel();
    let lane = lane(&running, |limits| Apart {
        queue: InMemory::new(limits),
        tell: tell.clone(),
    });
    lane.go_by(&running, running.plan.backend(OBSERVER).unwrap().queue);
    lane.take(OBSERVER, &tidings(&running, 10));
    assert_eq!(told.recv().await.unwrap().as_deref(), Some("beside"));
}

/// The log hears of each loss, though not at once.
#[tokio::test(start_paused = true)]
async fn the_last_losses_are_said_too() {
    let running = running(([127, 0, 0, 1], 9).into());
    let lane = lane(&running, InMemory::new);
    let meters = &tidings(&running, 1).hook.meters;
    let says = |ended: &[Told]| {
        written(LogFormat::Text, LogLevel::Info, || {
            ended
                .iter()
                .for_each(|told| lane.shared.end(meters, OBSERVER, *told));
        })
    };
    let first = says(&[Told::Overflow, Told::Refused, Told::GaveUp, Told::Delivered]);
    assert_eq!(first.matches("was not told").count(), 1, "{first}");
    assert!(first.contains("notices=1"), "{first}");
    tokio::time::advance(SAID_AGAIN).await;
    let later = says(&[Told::Delivered, Told::Delivered]);
    assert_eq!(later.matches("was not told").count(), 1, "{later}");
    assert!(later.contains("notices=2"), "{later}");
    tokio::time::advance(SAID_AGAIN).await;
    assert_eq!(says(&[Told::Delivered]), "");
}

/// What waits to be packed holds the hooks' room, and no more of it than goes on beside them may hold.
#[tokio::test]
async fn what_waits_to_be_packed_is_bounded_in_bytes() {
    let running = running(([127, 0, 0, 1], 9).into());
    // It is not begun, so that nothing is packed.
    for (bytes, fit) in [(8_000, 1), (4_096, 2), (1_024, 8), (100_000, 1)] {
        let lane = lane(&running, InMemory::new);
        let before = ended(&running).overflow;
        for _ in 0..fit + 3 {
            lane.take(OBSERVER, &tidings(&running, bytes));
        }
        assert_eq!(ended(&running).overflow - before, 3, "{bytes} bytes each");
        assert_eq!(*lane.shared.open.borrow(), fit);
    }
}
