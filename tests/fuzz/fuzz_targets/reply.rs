//! Replies of any shape, from their labels to the answer that they become: nothing panics, every answer is
//! one of the protocol's forms, and no header can be split.

#![no_main]

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use koigate_core::answer::{Answer, Draft, Harvest, Json, Wants, compose};
use koigate_core::attachment::Attachment;
use koigate_core::multipart::Form;
use koigate_core::plan::{Images, StatusSet};
use koigate_core::reply::Reply;
use koigate_core::verdict::{Class, classify};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// The most that an answer has around each reply: headers, a file name, JSON.
const AROUND: usize = 2048;

#[derive(Debug, Arbitrary)]
struct Input {
    accept: Vec<u8>,
    first_picture: bool,
    merged: bool,
    replies: Vec<Parts>,
}

#[derive(Debug, Arbitrary)]
struct Parts {
    /// 200 in most cases, since the others carry nothing.
    status: Option<u16>,
    content_type: Option<Vec<u8>>,
    content_disposition: Option<Vec<u8>>,
    body: Vec<u8>,
}

impl From<Parts> for Reply {
    fn from(parts: Parts) -> Self {
        Reply {
            status: parts.status.map_or(200, |status| 200 + status % 800),
            content_type: parts.content_type.map(Bytes::from),
            content_disposition: parts.content_disposition.map(Bytes::from),
            body: parts.body.into(),
        }
    }
}

fuzz_target!(|input: Input| {
    let wants = Wants {
        images: if input.first_picture {
            Images::First
        } else {
            Images::Sheet
        },
        form: Form::accepted([input.accept.as_slice()]),
    };
    let replies: Vec<Reply> = input.replies.into_iter().map(Reply::from).collect();
    // A control character of a text takes six bytes in JSON.
    let room = replies
        .iter()
        .map(|reply| 6 * length(reply) + AROUND)
        .sum::<usize>()
        + AROUND;
    let harvest = harvest(replies, input.merged);
    let nothing = harvest.json == Json::None && harvest.attachments.is_empty();

    let answer = match compose(harvest, wants) {
        Draft::Ready(answer, _) => answer,
        Draft::Joint(mut joining) => {
            let most = joining.makes();
            let answer = joining.join().0;
            assert!(answer.body.len() <= most, "{} of {most}", answer.body.len());
            answer
        }
        Draft::Sheet(drawing) => drawing.draw(&AtomicBool::new(true), Some).0,
    };
    check_lines(&answer);
    assert_eq!(answer.status, if nothing { 204 } else { 200 });
    assert_eq!(answer.body.is_empty(), nothing);
    assert!(answer.body.len() <= room, "{} of {room}", answer.body.len());
});

/// What a chain of these replies leaves.
fn harvest(replies: Vec<Reply>, merged: bool) -> Harvest {
    let mut harvest = Harvest {
        json: Json::None,
        attachments: Vec::new(),
    };
    for reply in replies {
        check_reply(&reply);
        match classify(&reply, &StatusSet::default()) {
            Ok(Class::Json) if merged => harvest.json = Json::Merged(reply.body),
            Ok(Class::Json) => harvest.json = Json::Verbatim(reply),
            Ok(Class::Attachment(kind)) => harvest.attachments.push(Attachment {
                backend: "backend".into(),
                kind,
                reply,
            }),
            Ok(Class::Reject) => {
                let reject = Answer::from_reject(&reply);
                check_lines(&reject);
                assert!((401..600).contains(&reject.status));
                assert_eq!(reject.body, reply.body);
            }
            Ok(Class::Continue | Class::Ignored) | Err(_) => {}
        }
    }
    harvest
}

/// A reply's text and file name are bounded, and its file name safe, also after a second reading.
fn check_reply(reply: &Reply) {
    assert!(reply.text().len() <= 3 * reply.body.len() + 3);
    let Some(name) = reply.file_name() else { return };
    assert!((1..=255).contains(&name.len()));
    assert!(
        !name.contains(['/', '\\']) && !name.chars().any(char::is_control),
        "{name:?}"
    );
    let again = Reply {
        content_disposition: Answer::from_reply(reply).content_disposition,
        ..Reply::default()
    };
    assert_eq!(again.file_name(), Some(name));
}

/// Each header of an answer is one line.
fn check_lines(answer: &Answer) {
    for value in [&answer.content_type, &answer.content_disposition]
        .into_iter()
        .flatten()
    {
        assert!(!value.iter().any(u8::is_ascii_control), "{value:?}");
    }
}

fn length(reply: &Reply) -> usize {
    let headers = [&reply.content_type, &reply.content_disposition];
    reply.body.len() + headers.into_iter().flatten().map(Bytes::len).sum::<usize>()
}
