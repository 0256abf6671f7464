//! Requests and replies that pass in small pieces, over pipes that hold a few bytes.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::timeout;

use super::*;
use crate::offload::HEAVY;
use crate::outbound::wire::Wire;

/// A document of this size, another one for each `seed`.
fn document(size: usize, seed: u8) -> Vec<u8> {
    let bytes = (0..=u8::MAX).cycle().skip(seed.into());
    bytes.take(size).map(|byte| byte ^ seed).collect()
}

/// One exchange over a pipe that holds so many bytes: what the other end has heard, and the body that came back.
async fn exchange(sent: Vec<u8>, reply: Vec<u8>, pipe: usize) -> (Vec<u8>, Bytes) {
    let template = template(&backend(SocketAddr::from(([127, 0, 0, 1], 80))));
    let mut expected = Vec::new();
    request(&template, sent.clone()).write_head(&mut expected);
    let (ours, mut theirs) = duplex(pipe);
    let mut heard = vec![0; expected.len() + sent.len()];
    let answer = async {
        theirs.read_exact(&mut heard).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
        theirs.write_all(head.as_bytes()).await.unwrap();
        theirs.write_all(&reply).await.unwrap();
    };
    let mut connection = Connection::new(Wire::Layered(Box::new(ours)));
    let (request, decoder) = (request(&template, sent), Decoder::new(2 * HEAVY, None));
    let deadline = Instant::now() + PATIENCE;
    let asked = async {
        match connection.exchange(&request, decoder, deadline).await? {
            Came::Whole(reply, then) => Ok((reply, then, false)),
            Came::Large(body) => {
                let (reply, then) = connection.listen(*body, deadline).await?;
                Ok::<_, Broken>((reply, then, true))
            }
        }
    };
    // A request that never comes whole is not waited for.
    let (asked, answered) = tokio::join!(asked, timeout(PATIENCE, answer));
    let (reply, then, is_large) = asked.unwrap();
    answered.unwrap();
    assert_eq!((then, is_large), (Then::Reuse, reply.body.len() > HEAVY));
    assert!(heard.starts_with(&expected), "the head comes first");
    (heard.split_off(expected.len()), reply.body)
}

/// Threads put requests together in one piece of memory each, and replies arrive in one: nobody gets what is another's.
#[tokio::test]
async fn what_passes_piece_by_piece_is_nobody_elses() {
    // Around what is copied behind a head, and what is read at once.
    for size in [0, 1, 3000, 8 * 1024, 8 * 1024 + 1, 70_000, HEAVY + 20_000] {
        for pipe in [7, 1000, 20_000].into_iter().filter(|pipe| size / pipe <= 10_000) {
            let exchanges = (0..4_u8).map(|nth| {
                let (sent, reply) = (document(size, nth), document(size, nth + 100));
                async move {
                    let (heard, body) = exchange(sent.clone(), reply.clone(), pipe).await;
                    assert!(heard == sent, "{size} bytes over {pipe}: not what was sent");
                    assert!(body == reply, "{size} bytes over {pipe}: not what came back");
                }
            });
            futures_util::future::join_all(exchanges).await;
        }
    }
}
