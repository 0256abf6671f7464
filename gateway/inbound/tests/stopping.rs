//! The supervisor told to stop: over real sockets.

use tokio::sync::Barrier;

use super::*;

#[tokio::test]
async fn nothing_in_flight_ends_at_once() {
    let house = House::open().await;
    let begun = Instant::now();
    assert_eq!(house.stop().await, Ended::Drained);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn what_is_in_flight_finishes_and_says_that_it_is_the_last() {
    let house = House::open().await;
    let mut waiting = house.connect().await;
    waiting.write_all(&request("/wait", "", "first")).await.unwrap();
    // The one in flight may have sent its next request already: that one was not accepted.
    waiting.write_all(&request("/echo", "", "second")).await.unwrap();
    let mut sending = house.connect().await;
    let input = request("/echo", "", "half and half");
    let (sent, unsent) = input.split_at(input.len() - 4);
    sending.write_all(sent).await.unwrap();
    until(|| house.porch.served() == 1).await;
    let address = house.address;
    let porch = Arc::clone(&house.porch);
    let ended = tokio::spawn(house.stop());
    until_refused(address).await;
    assert!(!ended.is_finished());
    sending.write_all(unsent).await.unwrap();
    assert_eq!(read_to_end(&mut sending).await, last("half and half"));
    porch.go.notify_one();
    assert_eq!(read_to_end(&mut waiting).await, last("first"));
    drop((waiting, sending));
    let begun = Instant::now();
    assert_eq!(ended.await.unwrap(), Ended::Drained);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(porch.dropped(), 0);
}

#[tokio::test]
async fn an_idle_connection_is_ended_but_a_request_on_its_way_is_answered() {
    let house = House::open().await;
    let mut idle = house.connect().await;
    idle.write_all(&request("/echo", "", "one")).await.unwrap();
    assert_eq!(read_response(&mut idle).await, ok("one"));
    let mut busy = house.connect().await;
    busy.write_all(&request("/echo", "", "one")).await.unwrap();
    assert_eq!(read_response(&mut busy).await, ok("one"));
    let ended = tokio::spawn(house.stop());
    busy.write_all(&request("/echo", "", "two")).await.unwrap();
    // Whether the session knew of the stop when it answered is a matter of luck; that it answered is not.
    let answer = read_to_end(&mut busy).await;
    assert!(answer == last("two") || answer == ok("two"), "{answer}");
    assert_eq!(read_to_end(&mut idle).await, "");
    drop(busy);
    assert_eq!(ended.await.unwrap(), Ended::Drained);
}

#[tokio::test]
async fn a_caller_that_stays_after_its_last_answer_holds_nothing_up() {
    let house = House::open().await;
    let mut before = house.connect().await;
    before
        .write_all(&request("/echo", "Connection: close\r\n", "one"))
        .await
        .unwrap();
    assert_eq!(read_response(&mut before).await, last("one"));
    let mut within = house.connect().await;
    within.write_all(&request("/wait", "", "two")).await.unwrap();
    until(|| house.porch.served() == 2).await;
    let (address, porch) = (house.address, Arc::clone(&house.porch));
    let ended = tokio::spawn(house.stop());
    until_refused(address).await;
    porch.go.notify_one();
    assert_eq!(read_response(&mut within).await, last("two"));
    let begun = Instant::now();
    assert_eq!(ended.await.unwrap(), Ended::Drained);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    drop((before, within));
}

#[tokio::test]
async fn a_second_stop_ends_at_once() {
    let house = House::open().await;
    let mut waiting = house.connect().await;
    waiting.write_all(&request("/wait", "", "")).await.unwrap();
    until(|| house.porch.served() == 1).await;
    house.stop.send(()).unwrap();
    let begun = Instant::now();
    assert_eq!(house.stop().await, Ended::CutShort);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn signals_stop() {
    for name in ["TERM", "INT"] {
        let stops = Stops::signals().unwrap();
        let run = tokio::spawn(Supervisor::new().run(stops, || Parting::USUAL));
        tokio::task::yield_now().await;
        assert!(!run.is_finished());
        let process = std::process::id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &process])
            .status();
        assert!(sent.unwrap().success());
        let ended = timeout(Duration::from_secs(10), run).await;
        assert_eq!(ended.unwrap().unwrap(), Ended::Drained, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_accepted_hook_is_lost() {
    for _ in 0..20 {
        let house = House::open().await;
        // What waits in the backlog has not been accepted, and goes with the listener.
        let accepted = Arc::new(Barrier::new(17));
        let callers: Vec<_> = (0..16)
            .map(|_| tokio::spawn(ask_until_told_to_stop(house.address, accepted.clone())))
            .collect();
        accepted.wait().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let porch = house.porch.clone();
        assert_eq!(house.stop().await, Ended::Drained);
        let mut answers = 0;
        for caller in callers {
            answers += caller.await.unwrap();
        }
        assert_eq!(answers, porch.served());
    }
}

/// Asks on one connection until an answer says that it is the last, or until the connection has ended because the
/// next request was too late: how many answers there were, each of them whole. Once everybody has had the first, all
/// go on.
async fn ask_until_told_to_stop(address: SocketAddr, accepted: Arc<Barrier>) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request("/echo", "", "hook")).await.unwrap();
    assert_eq!(read_response(&mut stream).await, ok("hook"));
    accepted.wait().await;
    for answers in 1.. {
        let sent = stream.write_all(&request("/echo", "", "hook")).await;
        if sent.is_err() || !matches!(stream.peek(&mut [0]).await, Ok(1)) {
            return answers;
        }
        let response = read_response(&mut stream).await;
        if response == last("hook") {
            return answers + 1;
        }
        assert_eq!(response, ok("hook"));
    }
    unreachable!("nobody counts so far")
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let house = House::open().await;
    let error = Supervisor::new()
        .listen("second", &[house.address], Arc::new(Porch::default()))
        .unwrap_err();
    assert_eq!(error.address, house.address.into());
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), format!("can't listen on {}", house.address));
}

/// Waits until nobody listens there any more.
async fn until_refused(address: SocketAddr) {
    for _ in 0..1000 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("still listening");
}
