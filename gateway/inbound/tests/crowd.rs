//! More connections than there are seats.

use super::*;

impl House {
    fn seats(&self, connections: usize, per_address: usize) {
        *self.porch.capacity.lock().unwrap() = Some(Capacity {
            connections,
            per_address,
        });
    }

    /// A connection from another address of this machine.
    async fn connect_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((address, 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}

/// Whether a hook comes through on this connection, and nothing else does.
async fn check(stream: &mut TcpStream, is_seated: bool) {
    // The other side may have closed it already.
    let _ = stream.write_all(&request("/echo", "", "x")).await;
    if is_seated {
        assert_eq!(read_response(stream).await, ok("x"));
    } else {
        assert_eq!(read_to_end(stream).await, refused(Refusal::Overloaded));
    }
}

#[tokio::test]
async fn whoever_comes_after_the_last_seat_is_told_so() {
    let house = House::open().await;
    house.seats(2, 2);
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    check(&mut one, true).await;
    check(&mut two, true).await;
    check(&mut house.connect().await, false).await;
    check(&mut house.connect_from([127, 0, 0, 9]).await, false).await;
    assert_eq!(house.porch.refusals(), [Refusal::Overloaded; 2]);
    assert_eq!(house.porch.served(), 2);
    // Idle or broken, a connection that ends gives its seat back.
    drop(one);
    two.write_all(b"no request").await.unwrap();
    two.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut two).await, refused(Refusal::BadRequest));
    drop(two);
    let frees = async {
        loop {
            let mut stream = house.connect().await;
            let _ = stream
                .write_all(&request("/echo", "Connection: close\r\n", "x"))
                .await;
            if read_to_end(&mut stream).await == last("x") {
                return;
            }
        }
    };
    timeout(Duration::from_secs(10), frees).await.unwrap();
}

#[tokio::test]
async fn a_head_without_a_seat_gets_no_body() {
    let house = House::open().await;
    house.seats(0, 0);
    let mut stream = house.connect().await;
    stream
        .write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let whole = refused(Refusal::Overloaded);
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    assert!(!body.is_empty());
    assert_eq!(read_to_end(&mut stream).await, format!("{head}\r\n\r\n"));
    assert_eq!(house.porch.refusals(), [Refusal::Overloaded]);
}

#[tokio::test]
async fn one_address_takes_only_its_own_seats() {
    let house = House::open().await;
    house.seats(100, 2);
    let mut greedy = Vec::new();
    for _ in 0..50 {
        greedy.push(house.connect().await);
    }
    check(&mut greedy[0], true).await;
    check(&mut greedy[1], true).await;
    for stream in &mut greedy[2..] {
        check(stream, false).await;
    }
    check(&mut house.connect_from([127, 0, 0, 9]).await, true).await;
    assert_eq!(house.porch.refusals(), [Refusal::Overloaded; 48]);
}

#[tokio::test]
async fn another_capacity_counts_from_the_next_connection_on() {
    let house = House::open().await;
    house.seats(1, 1);
    let mut first = house.connect().await;
    check(&mut first, true).await;
    check(&mut house.connect().await, false).await;
    house.seats(2, 2);
    let mut second = house.connect().await;
    check(&mut second, true).await;
    house.seats(1, 1);
    check(&mut house.connect().await, false).await;
    check(&mut first, true).await;
    check(&mut second, true).await;
}

#[tokio::test]
async fn a_crowd_at_the_door_holds_nothing() {
    let house = House::open().await;
    house.seats(1, 1);
    let mut seated = house.connect().await;
    check(&mut seated, true).await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(house.connect().await);
    }
    until(|| house.porch.refusals().len() == 300).await;
    // Nobody of the crowd says a word or leaves; only a doorstep full is still listened to.
    let mut told = 0;
    for stream in &mut crowd {
        let mut bytes = Vec::new();
        let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes))
            .await
            .unwrap();
        assert!(read.is_ok(), "{read:?}");
        told += usize::from(!bytes.is_empty());
    }
    assert!((64..=300).contains(&told), "{told} were told");
    check(&mut seated, true).await;
}
