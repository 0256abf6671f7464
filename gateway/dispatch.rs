//! One hook through its chain: the only place that fans out.
//!
//! The driver holds no policy. Who is asked what, what a reply settles and what becomes of the edits is the
//! [`Tally`]'s; how calls run and end is [`calls`]'s.

use std::sync::Arc;

use koigate_core::answer::{Answer, Draft, Joining};
use koigate_core::attachment::Dropped;
use koigate_core::multipart::Form;
use koigate_core::outcome::Outcome;
use koigate_core::shadow::Happened;
use koigate_core::tally::{Progress, Requests, Tally};
use tokio::time::Instant;

use crate::buffered::Held;
use crate::calls::{self, Caller};
use crate::drawing::draw;
use crate::offload::offload;

#[cfg(test)]
mod tests;

/// What a chain has made of a hook.
#[derive(Debug)]
pub struct Done {
    /// Everything that happened.
    pub outcome: Outcome,
    /// What the bot gets.
    pub answer: Answer,
    /// What shadows are compared with, where there are some.
    pub happened: Option<Happened>,
}

/// Runs one hook through its chain until a verdict settles it or the stages are through.
///
/// Answers within `deadline`; a call that it cuts, or keeps from starting, is a failure with its backend's policy.
/// Dropped on the way, the calls that run end by their own rule.
pub async fn dispatch<C: Caller>(caller: &Arc<C>, tally: Tally, deadline: Instant, form: Form) -> Done {
    let begun = Instant::now();
    // Boxed, since it goes in and out of every step that may leave the thread.
    let mut tally = Box::new(tally);
    loop {
        let requests;
        (tally, requests) = open_stage(tally).await;
        let Some(mut requests) = requests else { break };
        let started = Instant::now();
        if started >= deadline {
            // Who is not asked is named when the stage closes.
            tally.ask_nobody(&mut requests.asked);
        }
        tally.begin_stage(started - begun);
        let mut calls = calls::start(caller, requests, started, deadline);
        // `None`: all are in, or the deadline has come.
        while let Some(ended) = calls.next().await {
            if tally.record(ended.slot, ended.judgement, ended.took) == Progress::Settled {
                break;
            }
        }
        // The losers end by rule.
        calls.end();
        let room = caller.hold(tally.makes());
        let held = room.unwrap_or_else(|full| {
            tally.finds_no_room(&full.to_string());
            Held::uncounted()
        });
        // Who has not answered is named; edits fold in configured order. Room goes with what is made in it.
        let made;
        (tally, made) = offload(tally.weight(), move || {
            tally.close_stage(started.elapsed());
            let made = tally.keep_made(|document| held.around(document));
            (tally, made)
        })
        .await;
        if made {
            caller.keep(tally.document());
        }
    }
    let happened = tally.happened();
    let (outcome, draft) = tally.finish(form);
    let (answer, dropped) = match draft {
        Draft::Ready(answer, dropped) => (answer, dropped),
        // Boxed, since few hooks need it and all would carry it.
        Draft::Joint(joining) => Box::pin(join(caller, joining)).await,
        Draft::Sheet(drawing) => Box::pin(draw(caller, drawing, deadline)).await,
    };
    Done {
        outcome: outcome.without(dropped),
        answer,
        happened,
    }
}

/// Joins replies in room of their own, which goes with the answer. Without any, what passes as it is does.
async fn join<C: Caller>(caller: &Arc<C>, mut joining: Joining) -> (Answer, Vec<Dropped>) {
    let caller = caller.clone();
    offload(joining.weight(), move || match caller.hold(joining.makes()) {
        Ok(held) => {
            let (mut answer, dropped) = joining.join();
            answer.body = held.around(answer.body);
            (answer, dropped)
        }
        Err(_) => joining.without_room(),
    })
    .await
}

/// Opens the next stage; conditions may have to look into a large document.
async fn open_stage(mut tally: Box<Tally>) -> (Box<Tally>, Option<Requests>) {
    let weight = tally.opening_weight();
    let open = move || {
        let requests = tally.open_stage();
        (tally, requests)
    };
    offload(weight, open).await
}
