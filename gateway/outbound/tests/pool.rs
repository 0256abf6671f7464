//! The pool under paused time, with pipes in the place of sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{advance, timeout};

use super::*;
use crate::outbound::wire::Wire;
use crate::workers::{bulk_of, stand_at};

/// A connection, and its other end.
fn connection() -> (Connection, DuplexStream) {
    let (ours, theirs) = duplex(64);
    (Connection::new(Wire::Layered(Box::new(ours))), theirs)
}

/// Whether our end has been closed.
async fn is_closed(theirs: &mut DuplexStream) -> bool {
    let read = timeout(Duration::ZERO, theirs.read(&mut [0; 1])).await;
    matches!(read, Ok(Ok(0)))
}

/// Lets time pass, and the sweeper see that it has.
async fn pass(time: Duration) {
    advance(time).await;
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn last_in_first_out() {
    let pool = Pool::new(8);
    let (first, mut first_end) = connection();
    let (second, mut second_end) = connection();
    pool.put(first);
    pool.put(second);
    drop(pool.take(Instant::now()).unwrap());
    assert!(is_closed(&mut second_end).await && !is_closed(&mut first_end).await);
    drop(pool.take(Instant::now()).unwrap());
    assert!(is_closed(&mut first_end).await);
    assert!(pool.take(Instant::now()).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_bottom_is_swept() {
    let pool = Pool::new(8);
    let (old, mut old_end) = connection();
    let (busy, mut busy_end) = connection();
    pool.put(old);
    pool.put(busy);
    for _ in 0..3 {
        pass(IDLE / 4).await;
        let busy = pool.take(Instant::now()).unwrap();
        pool.put(busy);
    }
    pass(IDLE / 4 + Duration::from_millis(2)).await;
    assert!(is_closed(&mut old_end).await, "nobody has taken it");
    assert!(!is_closed(&mut busy_end).await);
    assert_eq!(pool.len(), 1);
    pass(IDLE).await;
    assert!(is_closed(&mut busy_end).await);
    assert_eq!(pool.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_lives_while_there_is_something_to_sweep() {
    let pool = Pool::new(8);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for _ in 0..3 {
        let ends: Vec<_> = (0..3)
            .map(|_| {
                let (ours, theirs) = connection();
                pool.put(ours);
                theirs
            })
            .collect();
        assert_eq!(tasks(), 1, "one for all");
        pass(IDLE + Duration::from_millis(2)).await;
        assert_eq!((tasks(), pool.len()), (0, 0));
        drop(ends);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_gone_has_no_sweeper() {
    let pool = Pool::new(8);
    let (ours, mut theirs) = connection();
    pool.put(ours);
    drop(pool);
    assert!(is_closed(&mut theirs).await);
    pass(IDLE + Duration::from_millis(2)).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn too_old_is_not_taken() {
    let pool = Pool::new(8);
    let (ours, _theirs) = connection();
    pool.put(ours);
    // Time moves on, and the sweeper has no turn.
    advance(IDLE).await;
    assert!(pool.take(Instant::now()).is_none());
    assert_eq!(pool.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_busy_one_is_closed_in_the_end() {
    let pool = Pool::new(8);
    let (ours, mut theirs) = connection();
    pool.put(ours);
    let mut left = LIFE;
    while left > IDLE / 2 {
        advance(IDLE / 2).await;
        left -= IDLE / 2;
        let busy = pool.take(Instant::now()).unwrap();
        pool.put(busy);
    }
    assert!(!is_closed(&mut theirs).await);
    let busy = pool.take(Instant::now()).unwrap();
    advance(left).await;
    pool.put(busy);
    assert!(is_closed(&mut theirs).await);
    assert_eq!(pool.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_kept_quiet_is_not_taken() {
    let pool = Pool::new(8);
    let (quiet, _quiet_end) = connection();
    let (closed, closed_end) = connection();
    let (talking, mut talking_end) = connection();
    for connection in [quiet, closed, talking] {
        pool.put(connection);
    }
    drop(closed_end);
    talking_end.write_all(b"H").await.unwrap();
    assert!(pool.take(Instant::now()).is_some(), "the quiet one is left");
    assert!(pool.take(Instant::now()).is_none());
}

#[tokio::test(start_paused = true)]
async fn it_holds_so_many() {
    let pool = Pool::new(2);
    let mut ends = Vec::new();
    for _ in 0..3 {
        let (ours, theirs) = connection();
        pool.put(ours);
        ends.push(theirs);
    }
    assert_eq!(pool.len(), 2);
    assert!(is_closed(&mut ends[2]).await);
}

/// A connection that is opened by the thread at this place.
fn connection_at(place: usize) -> (Connection, DuplexStream) {
    stand_at(place);
    let opened = connection();
    stand_at(0);
    opened
}

/// Takes one for the thread at this place, and tells whose it was. `None` where there is none.
fn take_at(pool: &Pool, place: usize) -> Option<(usize, Connection)> {
    stand_at(place);
    let taken = pool.take(Instant::now());
    stand_at(0);
    taken.map(|connection| (connection.place(), connection))
}

#[tokio::test(start_paused = true)]
async fn a_thread_takes_its_own_before_the_eldest_of_whoever_has_most() {
    let pool = Pool::new(8);
    let mut ends = Vec::new();
    for place in [1, 2, 3, 2, 1, 2] {
        let (ours, theirs) = connection_at(place);
        pool.put(ours);
        ends.push(theirs);
    }
    assert_eq!(pool.len(), 6);
    let (place, own) = take_at(&pool, 1).unwrap();
    drop(own);
    assert_eq!(place, 1);
    assert!(is_closed(&mut ends[4]).await, "the one that was laid aside last");
    drop(take_at(&pool, 1).unwrap());
    assert!(is_closed(&mut ends[0]).await);
    let (place, others) = take_at(&pool, 1).unwrap();
    assert_eq!(place, 2, "it speaks by layers, so that it stays where it is");
    drop(others);
    assert!(
        is_closed(&mut ends[1]).await,
        "the one that has been idle for longest"
    );
    // Whoever has none at all is no different.
    let places = [9, 9, 9].map(|place| take_at(&pool, place).unwrap().0);
    assert_eq!(places, [2, 3, 2]);
    assert!(take_at(&pool, 1).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_another_has_laid_aside_is_trusted_no_more_than_ones_own() {
    let pool = Pool::new(3);
    let mut ends = Vec::new();
    for place in [1, 1, 2] {
        let (ours, theirs) = connection_at(place);
        pool.put(ours);
        ends.push(theirs);
    }
    let (one_too_many, mut its_end) = connection_at(3);
    pool.put(one_too_many);
    assert!(is_closed(&mut its_end).await, "the bound is that of all threads");
    // The first has been closed by the other side.
    drop(ends.remove(0));
    let (place, taken) = take_at(&pool, 2).unwrap();
    assert_eq!(place, 2);
    pool.put(taken);
    drop(take_at(&pool, 2));
    assert_eq!(take_at(&pool, 2).map(|(place, _)| place), Some(1));
    assert_eq!(pool.len(), 0);
    for place in [1, 2] {
        let (ours, theirs) = connection_at(place);
        pool.put(ours);
        ends.push(theirs);
    }
    // Time moves on, and the sweeper has no turn.
    advance(IDLE).await;
    assert!(take_at(&pool, 3).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_leave_the_bulk_is_for_bulk() {
    let pool = Pool::new(8);
    let mut ends = Vec::new();
    for place in [bulk_of(1), bulk_of(1), 2] {
        let (ours, theirs) = connection_at(place);
        pool.put(ours);
        ends.push(theirs);
    }
    let places = [1, bulk_of(2), 1].map(|place| take_at(&pool, place).map(|(place, _)| place));
    assert_eq!(places, [Some(2), Some(bulk_of(1)), None]);
    assert_eq!(pool.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_sweeper_sweeps_for_all_threads() {
    let pool = Pool::new(8);
    let mut ends = Vec::new();
    for place in [2, 1] {
        let (ours, theirs) = connection_at(place);
        pool.put(ours);
        ends.push(theirs);
        pass(IDLE / 2).await;
    }
    pass(Duration::from_millis(2)).await;
    assert!(is_closed(&mut ends[0]).await && !is_closed(&mut ends[1]).await);
    pass(IDLE / 2).await;
    assert!(is_closed(&mut ends[1]).await);
    assert_eq!(pool.len(), 0);
}

#[tokio::test]
async fn a_socket_moves_to_whoever_takes_it() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let ours = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
    let (ours, theirs) = tokio::join!(ours, listener.accept());
    let (mut theirs, _) = theirs.unwrap();
    let pool = Pool::new(8);
    stand_at(1);
    pool.put(Connection::new(Wire::Plain(ours.unwrap())));
    stand_at(0);
    let (place, moved) = take_at(&pool, bulk_of(1)).unwrap();
    assert_eq!(place, bulk_of(1));
    pool.put(moved);
    let (place, moved) = take_at(&pool, 2).unwrap();
    assert_eq!(place, 2, "a socket may leave the bulk");
    pool.put(moved);
    // It hears what comes from then on.
    theirs.write_all(b"H").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(take_at(&pool, 2).is_none(), "it has not kept quiet");
}
