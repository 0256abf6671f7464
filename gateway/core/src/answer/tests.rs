use std::sync::atomic::AtomicBool;

use image::{ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::attachment::DropReason::{FirstPicture, Late, NoObject, NoRoom, OneFile, OtherKind, Undecodable};
use crate::parameters;
use crate::plan::StatusSet;
use crate::verdict::{Class, classify};

// === what is composed ===

/// A reply with this label (`-` for none) and body.
fn labelled(content_type: &str, body: impl AsRef<[u8]>) -> Reply {
    let content_type = Bytes::copy_from_slice(content_type.as_bytes());
    Reply {
        status: 200,
        content_type: (content_type != "-").then_some(content_type),
        content_disposition: None,
        body: Bytes::copy_from_slice(body.as_ref()),
    }
}

/// Attachments of backends `b0`, `b1`, ... by what their replies are.
fn attachments(replies: Vec<Reply>) -> Vec<Attachment> {
    let attached = |(index, reply): (usize, Reply)| match classify(&reply, &StatusSet::default()) {
        Ok(Class::Attachment(kind)) => Attachment {
            backend: format!("b{index}").into(),
            kind,
            reply,
        },
        other => panic!("{other:?} is no attachment"),
    };
    replies.into_iter().enumerate().map(attached).collect()
}

fn harvest(json: Json, replies: Vec<Reply>) -> Harvest {
    let attachments = attachments(replies);
    Harvest { json, attachments }
}

const SHEET: Wants = Wants {
    images: Images::Sheet,
    form: Form::Single,
};
const FIRST: Wants = Wants {
    images: Images::First,
    ..SHEET
};
const PARTS: Wants = Wants {
    form: Form::Multipart,
    ..SHEET
};

/// The answer, drawn if need be, and what was dropped, as numbers of backends and reasons.
fn answered(harvest: Harvest, wants: Wants) -> (Answer, Vec<(String, DropReason)>) {
    let (answer, dropped) = match compose(harvest, wants) {
        Draft::Ready(answer, dropped) => (answer, dropped),
        Draft::Joint(mut joining) => {
            let most = joining.makes();
            let (answer, dropped) = joining.join();
            let length = answer.body.len();
            assert!(length <= most, "{length} of {most}");
            (answer, dropped)
        }
        Draft::Sheet(drawing) => drawing.draw(&AtomicBool::new(false), Some),
    };
    let dropped = dropped
        .iter()
        .map(|one| (one.backend.to_string(), one.reason))
        .collect();
    (answer, dropped)
}

fn shown(answer: &Answer) -> (u16, String, String) {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let content_type = answer.content_type.as_ref().map_or("-".to_owned(), text);
    (answer.status, content_type, text(&answer.body))
}

fn png(width: u32, height: u32) -> Reply {
    let mut file = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb([9; 3]))
        .write_to(&mut file, ImageFormat::Png)
        .unwrap();
    labelled("image/jpeg", file.into_inner())
}

#[track_caller]
fn check(
    json: Json,
    replies: Vec<Reply>,
    wants: Wants,
    expected: (u16, &str, &str),
    dropped: &[(&str, DropReason)],
) {
    let (answer, lost) = answered(harvest(json, replies), wants);
    let (status, content_type, body) = shown(&answer);
    assert_eq!((status, content_type.as_str(), body.as_str()), expected);
    let lost: Vec<_> = lost
        .iter()
        .map(|(backend, reason)| (backend.as_str(), *reason))
        .collect();
    assert_eq!(lost, dropped);
}

#[test]
fn nothing_and_one_reply() {
    check(Json::None, vec![], SHEET, (204, "-", ""), &[]);
    check(Json::None, vec![], PARTS, (204, "-", ""), &[]);
    for (label, body) in [
        ("Image/PNG; x=y", "no picture"),
        ("plain/text; charset=gbk", "a"),
        ("-", "file"),
        ("text/html", "<p>"),
    ] {
        check(
            Json::None,
            vec![labelled(label, body)],
            SHEET,
            (200, label, body),
            &[],
        );
    }
}

#[test]
fn documents_alone() {
    let own = labelled("Application/JSON; charset=utf-8", " {\"a\": 1}\n");
    let expected = (200, "Application/JSON; charset=utf-8", " {\"a\": 1}\n");
    check(Json::Verbatim(own.clone()), vec![], SHEET, expected, &[]);
    let merged = || Json::Merged(Bytes::from_static(b"{\"a\": NaN}"));
    let expected = (200, "application/json", "{\"a\": NaN}");
    check(merged(), vec![], SHEET, expected, &[]);
    // A service that says "ok" in HTML has nothing for the user.
    check(
        merged(),
        vec![labelled("text/html", "ok")],
        SHEET,
        expected,
        &[("b0", OtherKind)],
    );
}

#[test]
fn texts_are_joined() {
    check(
        Json::None,
        vec![
            labelled("Plain/Text;charset=GBK", b"\xbd\xda\xb5\xe3"),
            labelled("text/plain", "b\n"),
            labelled("text/plain; charset=utf-8", b"c\xff"),
        ],
        SHEET,
        (200, "Plain/Text; charset=utf-8", "节点\nb\n\nc\u{fffd}"),
        &[],
    );
}

#[test]
fn mixed_attachments_leave_the_first_kind() {
    let picture = || labelled("image/png", "p");
    let text = |body| labelled("text/plain", body);
    let file = |body| labelled("-", body);
    let html = || labelled("text/html", "<p>");
    check(
        Json::None,
        vec![html(), file("1"), file("2"), html()],
        SHEET,
        (200, "-", "1"),
        &[("b0", OtherKind), ("b2", OneFile), ("b3", OtherKind)],
    );
    check(
        Json::None,
        vec![html(), html()],
        SHEET,
        (200, "text/html", "<p>"),
        &[("b1", OneFile)],
    );
    check(
        Json::None,
        vec![file("1"), text("a"), html()],
        SHEET,
        (200, "text/plain", "a"),
        &[("b0", OtherKind), ("b2", OtherKind)],
    );
    check(
        Json::None,
        vec![text("a"), file("1"), text("b")],
        SHEET,
        (200, "text/plain; charset=utf-8", "a\nb"),
        &[("b1", OtherKind)],
    );
    check(
        Json::None,
        vec![text("a"), picture(), file("1")],
        SHEET,
        (200, "image/png", "p"),
        &[("b0", OtherKind), ("b2", OtherKind)],
    );
}

// === pictures ===

#[test]
fn pictures_become_one() {
    let (answer, dropped) = answered(
        harvest(
            Json::None,
            vec![png(4, 3), labelled("text/plain", "a"), png(2, 5)],
        ),
        SHEET,
    );
    assert_eq!(
        (answer.status, answer.content_type.unwrap()),
        (200, Bytes::from_static(b"image/png"))
    );
    let sheet = image::load_from_memory_with_format(&answer.body, ImageFormat::Png).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (4, 8));
    assert_eq!(dropped, [("b1".to_owned(), OtherKind)]);
}

#[test]
fn pictures_that_can_not_be_drawn_are_dropped() {
    let bad = || labelled("image/png", "bad");
    let (answer, dropped) = answered(harvest(Json::None, vec![png(4, 3), bad(), png(4, 3)]), SHEET);
    assert_eq!(image::load_from_memory(&answer.body).unwrap().height(), 6);
    assert_eq!(dropped, [("b1".to_owned(), Undecodable)]);

    // One alone passes unchanged, mislabelled as it is; and where none can be drawn, the first.
    let good = png(4, 3);
    let (answer, dropped) = answered(harvest(Json::None, vec![bad(), good.clone()]), SHEET);
    assert_eq!(answer, Answer::from_reply(&good));
    assert_eq!(dropped, [("b0".to_owned(), Undecodable)]);
    check(
        Json::None,
        vec![bad(), bad()],
        SHEET,
        (200, "image/png", "bad"),
        &[("b1", Undecodable)],
    );
}

#[test]
fn the_first_picture_passes_where_that_is_wanted() {
    let picture = |body| labelled("image/png", body);
    check(
        Json::None,
        vec![picture("1"), picture("2")],
        FIRST,
        (200, "image/png", "1"),
        &[("b1", FirstPicture)],
    );
    let (answer, dropped) = answered(
        harvest(
            Json::Merged(Bytes::from_static(b"{}")),
            vec![picture("1"), picture("2")],
        ),
        FIRST,
    );
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        document["addons"]["koigate"]["images"].as_array().unwrap().len(),
        1
    );
    assert_eq!(dropped, [("b1".to_owned(), FirstPicture)]);
}

#[test]
fn a_sheet_that_is_given_up_leaves_the_first_picture() {
    let replies = vec![png(4, 3), labelled("-", "f"), png(2, 2), png(3, 3)];
    let Draft::Sheet(drawing) = compose(harvest(Json::None, replies.clone()), SHEET) else {
        panic!("three pictures are to be drawn");
    };
    let (answer, dropped) = drawing.draw(&AtomicBool::new(true), Some);
    assert_eq!(answer, Answer::from_reply(&replies[0]));
    let reasons: Vec<_> = dropped.iter().map(|lost| lost.reason).collect();
    assert_eq!(reasons, [OtherKind, Late, Late]);
    assert_eq!(drawing.given_up(), (answer, dropped));
}

// === documents with attachments ===

#[test]
fn attachments_travel_in_the_document() {
    let named = Reply {
        content_disposition: Some(Bytes::from_static(
            "attachment; filename=\"../节.bin\"".as_bytes(),
        )),
        ..labelled("-", b"\0\xff")
    };
    let replies = vec![
        labelled("text/plain; charset=gbk", b"\xbd\xda\"\\\n\x01"),
        named,
        labelled("image/png", "p"),
        labelled("text/html", "dropped"),
        labelled("Plain/Text", "b"),
    ];
    let entry = |backend: &str, content_type: Option<&str>, filename: Option<&str>, data: &str| json!({"backend": backend, "content_type": content_type, "filename": filename, "data": data});
    let koigate = json!({
        "images": [entry("b2", Some("image/png"), None, "cA==")],
        "texts": [
            entry("b0", Some("text/plain; charset=gbk"), None, "节\"\\\n\u{1}"),
            entry("b4", Some("Plain/Text"), None, "b"),
        ],
        "files": [entry("b1", None, Some("节.bin"), "AP8=")],
    });
    for (document, expected) in [
        ("{}", json!({"addons": {"koigate": koigate}})),
        (
            r#"{"a": 1, "addons": {}}"#,
            json!({"a": 1, "addons": {"koigate": koigate}}),
        ),
        (
            r#"{"addons": {"x": 2}}"#,
            json!({"addons": {"x": 2, "koigate": koigate}}),
        ),
        (
            r#"{"addons": null, "a": 1}"#,
            json!({"addons": {"koigate": koigate}, "a": 1}),
        ),
        (
            r#"{"addons": {"koigate": []}}"#,
            json!({"addons": {"koigate": koigate}}),
        ),
        (r#"{"addons": {"koigate": {"images": [1, 2], "old": 3}}}"#, {
            let mut both = koigate.clone();
            both["old"] = json!(3);
            json!({"addons": {"koigate": both}})
        }),
    ] {
        for json in [
            Json::Merged(Bytes::copy_from_slice(document.as_bytes())),
            Json::Verbatim(labelled("Application/Json", document)),
        ] {
            let (answer, dropped) = answered(harvest(json, replies.clone()), SHEET);
            assert_eq!(shown(&answer).1, "application/json");
            assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), expected);
            assert_eq!(dropped, [("b3".to_owned(), OtherKind)]);
        }
    }
}

#[test]
fn the_rest_of_the_document_stays_as_it_was() {
    let document = Bytes::from_static(b"{\"x\": NaN, \"addons\": {}, \"y\": \"\\ud83c\"}");
    let (answer, _) = answered(harvest(Json::Merged(document), vec![labelled("-", "f")]), SHEET);
    let (before, after) = (
        "{\"x\": NaN, \"addons\": {\"koigate\": {",
        "}}, \"y\": \"\\ud83c\"}",
    );
    let (_, _, body) = shown(&answer);
    assert!(body.starts_with(before) && body.ends_with(after), "{body}");
}

#[test]
fn a_document_that_is_no_object_carries_nothing() {
    for document in ["[1]", "null", "{", ""] {
        let json = Json::Merged(Bytes::from_static(document.as_bytes()));
        let replies = vec![labelled("-", "f"), labelled("text/plain", "t")];
        check(
            json,
            replies,
            SHEET,
            (200, "application/json", document),
            &[("b0", NoObject), ("b1", NoObject)],
        );
    }
}

#[test]
fn who_asks_for_parts_gets_everything() {
    let named = Reply {
        content_disposition: Some(Bytes::from_static(b"attachment; filename=\"../f\"")),
        ..labelled("-", b"f")
    };
    let replies = vec![
        labelled("text/plain", "t"),
        named,
        labelled("text/html", "h"),
        labelled("image/png", "p"),
    ];
    check(
        Json::Merged(Bytes::from_static(b"{}")),
        replies,
        Wants {
            images: Images::First,
            ..PARTS
        },
        (
            200,
            "multipart/mixed; boundary=koigate-00000000",
            "--koigate-00000000\r\nContent-Type: application/json\r\n\r\n{}\r\n\
             --koigate-00000000\r\nContent-Type: text/plain\r\n\r\nt\r\n\
             --koigate-00000000\r\nContent-Disposition: attachment; filename=\"f\"\r\n\r\nf\r\n\
             --koigate-00000000\r\nContent-Type: text/html\r\n\r\nh\r\n\
             --koigate-00000000\r\nContent-Type: image/png\r\n\r\np\r\n\
             --koigate-00000000--\r\n",
        ),
        &[],
    );
    let one = "--koigate-00000000\r\nContent-Type: text/plain\r\n\r\nt\r\n--koigate-00000000--\r\n";
    let expected = (200, "multipart/mixed; boundary=koigate-00000000", one);
    check(
        Json::None,
        vec![labelled("text/plain", "t")],
        PARTS,
        expected,
        &[],
    );
}

// === without room ===

/// What passes of these where there is no room to join them, and what is lost.
#[track_caller]
fn check_without_room(
    json: Json,
    replies: Vec<Reply>,
    wants: Wants,
    expected: (u16, &str, &str),
    dropped: &[(&str, DropReason)],
) {
    let Draft::Joint(joining) = compose(harvest(json, replies), wants) else {
        panic!("{expected:?} takes no room");
    };
    let (answer, lost) = joining.without_room();
    let (status, content_type, body) = shown(&answer);
    assert_eq!((status, content_type.as_str(), body.as_str()), expected);
    let lost: Vec<_> = lost.iter().map(|one| (&*one.backend, one.reason)).collect();
    assert_eq!(lost, dropped);
}

#[test]
fn without_room_passes_what_is_not_made() {
    let merged = || Json::Merged(Bytes::from_static(b"{\"a\": 1}"));
    let own = || Json::Verbatim(labelled("Application/Json", "{\"a\": 1}"));
    let text = |body| labelled("text/plain; charset=gbk", body);
    let (file, html) = (|| labelled("-", "f"), || labelled("text/html", "h"));
    let picture = || labelled("image/png", "p");
    let document = (200, "application/json", "{\"a\": 1}");
    let first = (200, "text/plain; charset=gbk", "1");
    let rows = [
        (
            Json::None,
            vec![file(), text("1"), text("2")],
            SHEET,
            first,
            vec![("b0", OtherKind), ("b2", NoRoom)],
        ),
        (
            merged(),
            vec![text("1"), html(), file()],
            SHEET,
            document,
            vec![("b1", OtherKind), ("b0", NoRoom), ("b2", NoRoom)],
        ),
        (
            own(),
            vec![picture(), picture()],
            FIRST,
            document,
            vec![("b1", FirstPicture), ("b0", NoRoom)],
        ),
        (merged(), vec![], PARTS, document, vec![]),
        (
            own(),
            vec![html()],
            PARTS,
            (200, "Application/Json", "{\"a\": 1}"),
            vec![("b0", NoRoom)],
        ),
        (
            Json::None,
            vec![html(), file(), text("1"), text("2")],
            PARTS,
            first,
            vec![("b0", NoRoom), ("b1", NoRoom), ("b3", NoRoom)],
        ),
        (
            Json::None,
            vec![text("1"), picture()],
            PARTS,
            (200, "image/png", "p"),
            vec![("b0", NoRoom)],
        ),
        (Json::None, vec![html()], PARTS, (200, "text/html", "h"), vec![]),
    ];
    for (json, replies, wants, expected, dropped) in rows {
        check_without_room(json, replies, wants, expected, &dropped);
    }
}

#[test]
fn most_answers_are_not_made() {
    let text = || labelled("text/plain", "t");
    for (json, replies, wants) in [
        (Json::None, vec![], SHEET),
        (Json::None, vec![], PARTS),
        (Json::None, vec![text()], SHEET),
        (Json::None, vec![text(), labelled("-", "f")], SHEET),
        (
            Json::None,
            vec![labelled("image/png", "p"), labelled("image/png", "p")],
            FIRST,
        ),
        (Json::Merged(Bytes::from_static(b"{}")), vec![], SHEET),
        (
            Json::Merged(Bytes::from_static(b"{}")),
            vec![labelled("text/html", "h")],
            SHEET,
        ),
        (Json::Verbatim(labelled("application/json", "{}")), vec![], SHEET),
    ] {
        let draft = compose(harvest(json, replies), wants);
        assert!(matches!(draft, Draft::Ready(..)), "{draft:?}");
    }
}

// === backends' replies ===

fn reply(status: u16) -> Reply {
    Reply {
        status,
        content_type: Some(Bytes::from_static(b"Image/PNG;x=\"\xe8\x8a\x82\"")),
        content_disposition: Some(Bytes::from_static(b"attachment; filename=\"../a.png\"")),
        body: Bytes::from_static(b"\xff\0"),
    }
}

#[test]
fn rejects_pass_unchanged() {
    let check = |status, expected| {
        let answer = Answer::from_reject(&reply(status));
        assert_eq!(answer.status, expected);
        assert_eq!(answer.content_type, reply(status).content_type);
        assert_eq!(answer.content_disposition, reply(status).content_disposition);
        assert_eq!(answer.body, reply(status).body);
    };
    check(401, 401);
    check(403, 403);
    check(599, 599);
    check(600, 502);
    check(999, 502);
}

#[test]
fn replies_pass_with_a_safe_file_name() {
    let answer = Answer::from_reply(&reply(200));
    assert_eq!(
        answer.content_disposition.unwrap(),
        "attachment; filename=\"a.png\""
    );
    assert_eq!(answer.content_type, reply(200).content_type);
    assert_eq!(answer.body, reply(200).body);
}

#[test]
fn no_header_can_be_split() {
    let split = Some(Bytes::from_static(b"a\r\nb: c\0"));
    let reply = Reply {
        content_type: split.clone(),
        content_disposition: split,
        ..reply(200)
    };
    for answer in [Answer::from_reply(&reply), Answer::from_reject(&reply)] {
        assert_eq!(answer.content_type.unwrap(), "a  b: c ");
        let disposition = answer.content_disposition.unwrap();
        assert!(!disposition.iter().any(u8::is_ascii_control), "{disposition:?}");
    }
}

// === properties ===

fn header() -> impl Strategy<Value = Option<Bytes>> {
    let near = prop_oneof![
        "(application/json|image/png|text/plain|plain/text|text/html|)(; charset=(gbk|utf-8|x))?",
        "(attachment|inline); filename=\"?[ -~\r\n节]{0,20}\"?",
    ];
    let any = proptest::collection::vec(any::<u8>(), 0..20);
    let value = prop_oneof![4 => near.prop_map(String::into_bytes), 1 => any];
    proptest::option::of(value.prop_map(Bytes::from))
}

fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from),
        Just(png(3, 2).body),
        Just(Bytes::from_static(b"{\"addons\": {\"koigate\": 1}, \"a\": NaN}")),
        Just(Bytes::from_static(b"--koigate-00000000--")),
    ]
}

prop_compose! {
    fn any_reply()(
        status in prop_oneof![4 => Just(200), 1 => 200..1000_u16],
        content_type in header(),
        content_disposition in header(),
        body in body(),
    ) -> Reply {
        Reply { status, content_type, content_disposition, body }
    }
}

/// What a chain of these replies leaves, as long as JSON is not looked into.
fn harvested(replies: Vec<Reply>) -> (Harvest, Vec<Answer>) {
    let (mut json, mut attachments, mut rejects) = (Json::None, Vec::new(), Vec::new());
    for reply in replies {
        match classify(&reply, &StatusSet::default()) {
            Ok(Class::Json) if matches!(json, Json::None) => json = Json::Verbatim(reply),
            Ok(Class::Json) => json = Json::Merged(reply.body),
            Ok(Class::Attachment(kind)) => attachments.push(Attachment {
                backend: "b".into(),
                kind,
                reply,
            }),
            Ok(Class::Reject) => rejects.push(Answer::from_reject(&reply)),
            Ok(Class::Continue | Class::Ignored) | Err(_) => {}
        }
    }
    (Harvest { json, attachments }, rejects)
}

fn is_one_line(answer: &Answer) -> bool {
    let values = [&answer.content_type, &answer.content_disposition];
    !values
        .into_iter()
        .flatten()
        .any(|value| value.iter().any(u8::is_ascii_control))
}

proptest! {
    /// What leaves without room is a piece of memory that was there before, and all that is lost is named.
    #[test]
    fn without_room_nothing_is_made(
        replies in proptest::collection::vec(any_reply(), 1..6),
        form in prop_oneof![Just(Form::Single), Just(Form::Multipart)],
    ) {
        let (harvest, _) = harvested(replies);
        let attached = harvest.attachments.iter().map(|attachment| &attachment.reply.body);
        let there: Vec<_> = harvest.json.body().into_iter().chain(attached).map(|bytes| bytes.as_ptr()).collect();
        let (count, without_document) = (harvest.attachments.len(), harvest.json == Json::None);
        if let Draft::Joint(joining) = compose(harvest, Wants { form, ..SHEET }) {
            let (answer, dropped) = joining.without_room();
            prop_assert_eq!(answer.status, 200);
            prop_assert!(there.contains(&answer.body.as_ptr()));
            prop_assert_eq!(dropped.len(), count - usize::from(without_document));
        }
    }

    /// Every answer is one of the protocol's forms, and every attachment is in it or named as dropped.
    #[test]
    fn every_answer_is_one_of_the_protocols_forms(
        replies in proptest::collection::vec(any_reply(), 0..6),
        images in prop_oneof![Just(Images::Sheet), Just(Images::First)],
        form in prop_oneof![Just(Form::Single), Just(Form::Multipart)],
    ) {
        let (harvest, rejects) = harvested(replies);
        for reject in rejects {
            prop_assert!((401..600).contains(&reject.status) && is_one_line(&reject));
        }
        let nothing = harvest.json == Json::None && harvest.attachments.is_empty();
        let pictures = harvest.attachments.iter().filter(|one| one.kind == AttachmentKind::Image).count();
        let document = harvest.json.clone();
        let total = harvest.attachments.len();
        let (answer, dropped) = answered(harvest, Wants { images, form });

        prop_assert!(is_one_line(&answer), "{answer:?}");
        prop_assert_eq!(answer.status, if nothing { 204 } else { 200 });
        prop_assert_eq!(answer.body.is_empty(), nothing);
        prop_assert!(dropped.len() <= total - usize::from(total > 0 && document == Json::None));
        if form == Form::Multipart && !nothing {
            prop_assert!(answer.content_type.unwrap().starts_with(b"multipart/mixed; boundary=koigate-"));
            prop_assert!(dropped.is_empty());
        } else if document != Json::None {
            let label = answer.content_type.unwrap();
            let media = parameters::split(&label).0.to_ascii_lowercase();
            prop_assert_eq!(media, b"application/json");
        } else if pictures > 0 {
            let label = answer.content_type.unwrap();
            prop_assert!(label.to_ascii_lowercase().trim_ascii_start().starts_with(b"image/"));
        }
    }
}
