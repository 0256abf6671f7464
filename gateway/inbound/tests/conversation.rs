//! Requests and their answers over real sockets.

use super::*;

/// What a caller that sends these bytes gets until the connection ends.
#[track_caller]
fn check<'a>(
    house: &'a House,
    input: impl Into<Vec<u8>>,
    expected: &'a str,
) -> impl Future<Output = ()> + 'a {
    let input = input.into();
    async move {
        let said = house.say(&input).await;
        assert_eq!(said, expected, "{}", String::from_utf8_lossy(&input));
    }
}

#[tokio::test]
async fn one_request() {
    let house = House::open().await;
    let close = "Connection: close\r\n";
    check(&house, request("/echo", close, "hello"), &last("hello")).await;
    check(&house, request("/echo", close, ""), &last("")).await;
    check(
        &house,
        request("/", close, "x"),
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    )
    .await;
    check(
        &house,
        request("/echo", "Connection: foo, Close\r\n", "x"),
        &last("x"),
    )
    .await;
    check(
        &house,
        &b"\r\nGET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"[..],
        &last(""),
    )
    .await;
}

#[tokio::test]
async fn the_door_may_close() {
    let house = House::open().await;
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast";
    check(&house, request("/close", "", ""), expected).await;
}

#[tokio::test]
async fn old_callers() {
    let house = House::open().await;
    check(
        &house,
        &b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"[..],
        &last("hi"),
    )
    .await;
    let kept = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi";
    check(
        &house,
        &b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi\
           POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nho"[..],
        &(kept.to_owned() + &last("ho")),
    )
    .await;
}

#[tokio::test]
async fn head_gets_no_body() {
    let house = House::open().await;
    let input = b"HEAD /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n";
    check(&house, &input[..], expected).await;
}

#[tokio::test]
async fn nor_does_a_head_that_is_refused() {
    let house = House::open().await;
    let told = |refusal| {
        let whole = refused(refusal);
        whole[..whole.find("\r\n\r\n").unwrap() + 4].to_owned()
    };
    let large = format!(
        "HEAD /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    check(&house, large, &told(Refusal::TooLarge)).await;
    let bad = told(Refusal::BadRequest);
    for head in [
        "HEAD /echo HTTP/1.1\r\n\r\n",
        "\r\nHEAD /echo HTTP/1.1\r\n\r\n",
        "HEAD /echo HTTP/3.0\r\n",
        "HEAD /echo HTTP/1.1\r\nHost: a\n",
        "HEAD \r\n",
        "HEAD /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx",
    ] {
        check(&house, head, &bad).await;
        let after_another = [request("/echo", "", "first"), head.into()].concat();
        check(&house, after_another, &(ok("first") + &bad)).await;
    }
    let not_it = [
        "HEADS / HTTP/1.1\r\n\r\n",
        "HEAD\r\n",
        "head / HTTP/1.1\r\n\r\n",
        "HEAD\t/ HTTP/1.1\r\n\r\n",
    ];
    for head in not_it {
        check(&house, head, &refused(Refusal::BadRequest)).await;
    }
    let after_a_head = "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    check(&house, after_a_head, &(ok("") + &refused(Refusal::BadRequest))).await;
}

#[tokio::test]
async fn a_thousand_requests_on_one_connection() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    for number in 0..1000 {
        let body = format!("number {number}");
        stream.write_all(&request("/echo", "", &body)).await.unwrap();
        assert_eq!(read_response(&mut stream).await, ok(&body));
    }
    assert_eq!(house.porch.served(), 1000);
}

#[tokio::test]
async fn a_hundred_requests_at_once_are_answered_in_order() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    let bodies: Vec<String> = (0..100).map(|number| "x".repeat(number * 7)).collect();
    let all: Vec<u8> = bodies
        .iter()
        .flat_map(|body| request("/echo", "", body))
        .collect();
    stream.write_all(&all).await.unwrap();
    for body in &bodies {
        assert_eq!(read_response(&mut stream).await, ok(body));
    }
}

#[tokio::test]
async fn a_chunked_request_split_anywhere_is_one() {
    let house = House::open().await;
    let input = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                  4;x=y\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: t\r\n\r\n";
    let mut stream = house.connect().await;
    stream.set_nodelay(true).unwrap();
    for split in 0..=input.len() {
        let (first, second) = input.split_at(split);
        stream.write_all(first).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(second).await.unwrap();
        assert_eq!(
            read_response(&mut stream).await,
            ok("Wikipedia in \r\n\r\nchunks."),
            "split at {split}"
        );
    }
}

#[tokio::test]
async fn a_request_may_come_a_byte_at_a_time() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in request("/echo", "X-Long: yes\r\n", "slowly") {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(read_response(&mut stream).await, ok("slowly"));
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let house = House::open().await;
    let body = "0123456789".repeat(MAX_BODY / 10);
    let mut stream = house.connect().await;
    for _ in 0..3 {
        stream.write_all(&request("/echo", "", &body)).await.unwrap();
        assert_eq!(read_response(&mut stream).await, ok(&body));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let house = House::open().await;
    let refused = refused(Refusal::TooLarge);
    let announced = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    check(&house, announced.clone(), &refused).await;
    check(&house, announced + "a part of it", &refused).await;
    let huge = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    check(&house, huge, &refused).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(
        &house,
        format!("{head}ffffffffffff\r\n{}", "x".repeat(MAX_BODY + 1)),
        &refused,
    )
    .await;
    let chunk = "a\r\n0123456789\r\n";
    check(
        &house,
        head.to_owned() + &chunk.repeat(MAX_BODY / 10 + 1),
        &refused,
    )
    .await;
    assert_eq!(house.porch.refusals(), [Refusal::TooLarge; 5]);
    assert_eq!(house.porch.served(), 0);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes_in_chunks() {
    let house = House::open().await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = "a\r\n0123456789\r\n".repeat(MAX_BODY / 10);
    check(
        &house,
        format!("{head}{chunks}0\r\n\r\n"),
        &last(&"0123456789".repeat(MAX_BODY / 10)),
    )
    .await;
}

#[tokio::test]
async fn a_body_is_given_uncounted_only_where_it_holds_little_else() {
    let house = House::open().await;
    let text = |word: &str| {
        let length = word.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{word}"
        )
    };
    let small = request("/own", "", &"x".repeat(200));
    let large_head = request("/own", &format!("X-A: {}\r\n", "a".repeat(600)), &"x".repeat(200));
    let large = request("/own", "", &"x".repeat(90_000));
    for (input, words) in [
        (small.clone(), "yes"),
        (large_head, "no"),
        (large, "yes"),
        // In one block with all others.
        (small.repeat(3), "no no no"),
    ] {
        let mut stream = house.connect().await;
        stream.write_all(&input).await.unwrap();
        for word in words.split(' ') {
            assert_eq!(read_response(&mut stream).await, text(word));
        }
    }
}

#[tokio::test]
async fn a_caller_that_sends_on_can_read_why_not() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        3_000_000
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 3_000_000]).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, refused(Refusal::TooLarge));
}

#[tokio::test]
async fn broken_http_is_refused() {
    let house = House::open().await;
    let refused = refused(Refusal::BadRequest);
    for input in [
        &b"GET /\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\nHost: a\n\n",
        b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ] {
        check(&house, input, &refused).await;
    }
    let long = format!("POST / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(33_000));
    check(&house, long, &refused).await;
    let many = format!("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
    check(&house, many, &refused).await;
    assert_eq!(house.porch.refusals(), [Refusal::BadRequest; 10]);
    assert_eq!(house.porch.served(), 0);
}

#[tokio::test]
async fn what_follows_broken_http_is_not_served() {
    let house = House::open().await;
    let mut input = b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec();
    input.extend(request("/echo", "", "smuggled"));
    check(&house, input, &refused(Refusal::BadRequest)).await;
    assert_eq!(house.porch.served(), 0);
}

#[tokio::test]
async fn continue_is_said_once_and_only_to_who_is_let_in() {
    let house = House::open().await;
    let expect = "Expect: 100-continue\r\nConnection: close\r\n";
    let expected = "HTTP/1.1 100 Continue\r\n\r\n".to_owned() + &last("hello");
    check(&house, request("/echo", expect, "hello"), &expected).await;
    check(&house, request("/echo", expect, ""), &last("")).await;
    check(
        &house,
        request("/busy", expect, "hello"),
        &refused(Refusal::Overloaded),
    )
    .await;
    let large = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    check(&house, large, &refused(Refusal::TooLarge)).await;
    let old = b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
    check(&house, &old[..], &last("hi")).await;
}

#[tokio::test]
async fn continue_comes_before_the_body() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
    stream.write_all(head).await.unwrap();
    assert_eq!(read_response(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(read_response(&mut stream).await, ok("hello"));
}

#[tokio::test]
async fn who_is_turned_away_may_ask_again_if_all_has_arrived() {
    let house = House::open().await;
    let mut input = request("/busy", "", "a body that nobody reads");
    input.extend(request("/echo", "Connection: close\r\n", "now"));
    let text = koigate_core::texts::OVERLOADED;
    let busy = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    check(&house, input, &(busy + &last("now"))).await;
    let unsent = b"POST /busy HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nfirst part";
    check(&house, &unsent[..], &refused(Refusal::Overloaded)).await;
    assert_eq!(house.porch.refusals(), []);
}

#[tokio::test]
async fn a_panic_is_answered_and_the_connection_goes_on() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    for path in ["/panic", "/panic-early"] {
        stream.write_all(&request(path, "", "x")).await.unwrap();
        let response = read_response(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
        assert!(response.ends_with(koigate_core::texts::INTERNAL), "{response}");
    }
    stream
        .write_all(&request("/echo", "", "still here"))
        .await
        .unwrap();
    assert_eq!(read_response(&mut stream).await, ok("still here"));
}

#[tokio::test]
async fn a_header_can_not_become_two() {
    let house = House::open().await;
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
    check(&house, request("/split", "Connection: close\r\n", ""), expected).await;
}

#[tokio::test]
async fn a_caller_that_leaves_drops_what_is_served() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    stream.write_all(&request("/wait", "", "x")).await.unwrap();
    until(|| house.porch.served() == 1).await;
    assert_eq!(house.porch.dropped(), 0);
    drop(stream);
    until(|| house.porch.dropped() == 1).await;
}

#[tokio::test]
async fn a_caller_may_send_ahead_while_it_is_served() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    stream.write_all(&request("/wait", "", "first")).await.unwrap();
    until(|| house.porch.served() == 1).await;
    let second = "s".repeat(50_000);
    stream.write_all(&request("/echo", "", &second)).await.unwrap();
    house.porch.go.notify_one();
    assert_eq!(read_response(&mut stream).await, ok("first"));
    assert_eq!(read_response(&mut stream).await, ok(&second));
    assert_eq!(house.porch.dropped(), 0);
}

#[tokio::test]
async fn a_date_is_told() {
    let house = House::open().await;
    let mut stream = house.connect().await;
    stream
        .write_all(&request("/echo", "Connection: close\r\n", ""))
        .await
        .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let date = text.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
    let told = httpdate::parse_http_date(date).unwrap();
    let off = std::time::SystemTime::now().duration_since(told).unwrap();
    assert!(off < Duration::from_secs(60), "{date}");
}
