//! Bodies that find no room, and room that is given back.

use super::*;

impl House {
    /// What the bodies of all callers may hold together.
    fn room(&self, most: usize) {
        self.porch.room.limit_to(most);
    }

    async fn holds(&self, bytes: usize) {
        until(|| self.porch.room.held() == bytes).await;
    }
}

fn head(framing: &str) -> String {
    format!("POST /wait HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")
}

/// The beginning of a body of 10,000 bytes, by its length or in a chunk, of which `length` have come.
fn part(framing: &str, length: usize) -> Vec<u8> {
    let body = "x".repeat(length);
    match framing {
        "length" => head("Content-Length: 10000") + &body,
        _ => head("Transfer-Encoding: chunked") + "2710\r\n" + &body,
    }
    .into_bytes()
}

#[tokio::test]
async fn what_finds_no_room_is_refused_at_once_and_the_rest_goes_on() {
    for framing in ["length", "chunks"] {
        let house = House::open().await;
        house.room(15_000);
        let mut first = house.connect().await;
        first.write_all(&part(framing, 8_000)).await.unwrap();
        house.holds(8_000).await;
        assert_eq!(
            house.say(&part(framing, 7_001)).await,
            refused(Refusal::Overloaded),
            "{framing}"
        );
        assert_eq!(
            house
                .say(&request("/echo", "Connection: close\r\n", "small"))
                .await,
            last("small")
        );
        assert_eq!(house.porch.refusals(), [Refusal::Overloaded]);
        house.holds(8_000).await;
        let rest = "x".repeat(2_000) + if framing == "length" { "" } else { "\r\n0\r\n\r\n" };
        first.write_all(rest.as_bytes()).await.unwrap();
        house.holds(10_000).await;
        house.porch.go.notify_one();
        assert_eq!(read_response(&mut first).await, ok(&"x".repeat(10_000)));
        house.holds(0).await;
    }
}

#[tokio::test]
async fn only_what_has_come_is_held_and_who_leaves_holds_nothing() {
    let house = House::open().await;
    house.room(1_000);
    let mut callers = Vec::new();
    for framing in ["length", "chunks"] {
        let mut caller = house.connect().await;
        // It announces ten times as much as there is.
        caller.write_all(&part(framing, 100)).await.unwrap();
        callers.push(caller);
    }
    house.holds(200).await;
    callers.pop();
    house.holds(100).await;
    let body = "y".repeat(800);
    let mut waiting = house.connect().await;
    waiting.write_all(&request("/wait", "", &body)).await.unwrap();
    house.holds(900).await;
    drop(waiting);
    house.holds(100).await;
    callers.pop();
    house.holds(0).await;
    assert_eq!(house.porch.refusals(), []);
}

#[tokio::test]
async fn an_answer_holds_its_bytes_until_it_is_taken() {
    let house = House::open().await;
    let body = "z".repeat(MAX_BODY);
    let mut lazy = house.connect().await;
    // More than sockets hold between them, so the last answers wait.
    let all = request("/echo", "", &body).repeat(200);
    let (mut answers, mut questions) = lazy.split();
    let asks = async {
        questions.write_all(&all).await.unwrap();
    };
    let takes = async {
        until(|| house.porch.room.held() >= MAX_BODY).await;
        for _ in 0..200 {
            assert_eq!(read_response(&mut answers).await, ok(&body));
        }
    };
    tokio::join!(asks, takes);
    house.holds(0).await;
}
