//! What an operator gets, over a real socket behind the supervisor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::server::{Ended, Stops, Supervisor};

/// A door that keeps a hook for as long as its test wants it.
#[derive(Default)]
struct Room {
    entered: Notify,
    leave: Notify,
}

impl Door for Room {
    type Pass = ();

    fn admit(&self, _head: &Head) -> Result<Admitted<()>, Box<Response>> {
        Ok(Admitted {
            pass: (),
            max_body: 0,
        })
    }

    async fn serve(&self, (): (), _request: Request) -> Response {
        self.entered.notify_one();
        self.leave.notified().await;
        Answer::no_content().into()
    }
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    let read = stream.read_to_string(&mut response);
    timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
    response
}

#[tokio::test]
async fn routes() {
    let registry = Registry::new();
    let counter = IntCounter::new("koigate_test_total", "How often.").unwrap();
    counter.inc_by(3);
    registry.register(Box::new(counter)).unwrap();
    let mut supervisor = Supervisor::new();
    let door = AdminDoor::new(registry, supervisor.phase());
    let listen = [SocketAddr::from(([127, 0, 0, 1], 0))];
    let address = supervisor
        .listen_to_the_end("admin", &listen, Arc::new(door))
        .unwrap()[0];
    let (_stop, stops) = Stops::told();
    tokio::spawn(supervisor.run(stops));
    for (method, path, status, holds) in [
        (
            "GET",
            "/metrics",
            200,
            "\nContent-Type: text/plain; version=0.0.4\r\n",
        ),
        ("GET", "/metrics", 200, "\n# HELP koigate_test_total How often.\n"),
        ("GET", "/metrics", 200, "\nkoigate_test_total 3\n"),
        ("GET", "/metrics?x=y", 200, "\nkoigate_test_total 3\n"),
        ("HEAD", "/metrics", 200, "\nConnection: close\r\n\r\n"),
        ("GET", "/healthz", 200, "\r\n\r\nalive\n"),
        ("GET", "/readyz", 200, "\r\n\r\nready\n"),
        ("POST", "/metrics", 405, "\r\nAllow: GET, HEAD\r\n"),
        ("GET", "/", 404, "\r\n\r\nnothing here\n"),
        ("GET", "/metrics/", 404, "\r\n\r\nnothing here\n"),
    ] {
        let response = ask(address, method, path).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {path}: {response}"
        );
        assert!(response.contains(holds), "{method} {path}: {response}");
        assert_eq!(
            response.ends_with("\r\n\r\n"),
            method == "HEAD",
            "{method} {path}: {response}"
        );
    }
}

#[tokio::test]
async fn while_draining_an_operator_can_watch() {
    let room = Arc::new(Room::default());
    let mut supervisor = Supervisor::new();
    let door = AdminDoor::new(Registry::new(), supervisor.phase());
    assert_eq!(door.ready().answer.body, "starting\n");
    let listen = [SocketAddr::from(([127, 0, 0, 1], 0))];
    let hooks = supervisor.listen("hooks", &listen, Arc::clone(&room)).unwrap()[0];
    let admin = supervisor
        .listen_to_the_end("admin", &listen, Arc::new(door))
        .unwrap()[0];
    let mut phase = supervisor.phase();
    let (stop, stops) = Stops::told();
    let run = tokio::spawn(supervisor.run(stops));

    let hook = tokio::spawn(async move { ask(hooks, "POST", "/").await });
    room.entered.notified().await;
    stop.send(()).unwrap();
    phase.wait_for(|&phase| phase == Phase::Draining).await.unwrap();
    let ready = ask(admin, "GET", "/readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 503 ") && ready.ends_with("\r\n\r\ndraining\n"),
        "{ready}"
    );
    assert!(ask(admin, "GET", "/healthz").await.starts_with("HTTP/1.1 200 "));

    room.leave.notify_one();
    assert!(hook.await.unwrap().starts_with("HTTP/1.1 204 "));
    assert_eq!(run.await.unwrap(), Ended::Drained);
    assert!(TcpStream::connect(admin).await.is_err());
}
