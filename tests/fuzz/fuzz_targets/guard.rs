//! What is hidden is not sent, an echo of what is sent is no edit, and what is hidden is still there afterwards.
//!
//! An input is the guards, a document and a reply. The guards are lines: `h` and a pointer hides, `s` and a pointer
//! shows, `m` and a pointer lets change, `k` and `n` spell keys with dashes and underscores.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use koigate_core::guards::{Guards, Keys, Sight};
use koigate_core::json::Document;
use koigate_core::merge::merge;
use koigate_core::plan::OnConflict;
use koigate_core::pointer::Pointer;
use koigate_core::view::{Base, Compared, View};
use koigate_fuzz::documents;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut documents = documents(input);
    let (Some(lines), Some(base), Some(reply)) = (documents.next(), documents.next(), documents.next())
    else {
        return;
    };
    let guards = guards(&String::from_utf8_lossy(lines));
    let base = Arc::new(Base::new(Bytes::copy_from_slice(base)));
    let Some(view) = View::new(&base, &guards) else {
        assert!(base.document().is_none(), "what parses can be seen");
        return;
    };
    let Some(document) = base.document() else {
        assert!(guards.sight == Sight::Whole && view.bytes() == base.bytes());
        return;
    };
    let sent = Document::parse(view.bytes().clone()).expect("what is sent is JSON");
    let hidden = match &guards.sight {
        Sight::Hide(places) => places.as_slice(),
        Sight::Whole | Sight::Show(_) => &[],
    };
    assert!(hidden.iter().all(|place| place.find(&sent).is_empty()));
    check_echo(&view, &sent, &guards);

    let Ok(Compared::Edits { edits, denied, .. }) = view.compare(Bytes::copy_from_slice(reply), &guards)
    else {
        return;
    };
    assert!(denied.places.len() == denied.count.min(32));
    let merged = merge(document, &[&edits], OnConflict::Last).document;
    let merged = merged.as_ref().unwrap_or(document);
    Document::parse(merged.bytes().clone()).expect("what is left is JSON");
    for place in hidden {
        assert_eq!(spelled(place, document), spelled(place, merged), "{place}");
    }
});

/// What was sent comes back as it was.
fn check_echo(view: &View, sent: &Document, guards: &Guards) {
    match view.compare(sent.bytes().clone(), guards) {
        Ok(Compared::Edits { edits, denied, .. }) => assert!(edits.is_empty() && denied.count == 0),
        other => panic!("{other:?}"),
    }
}

/// The values at a place, as they are spelled.
fn spelled(place: &Pointer, document: &Document) -> Vec<Vec<u8>> {
    place
        .find(document)
        .iter()
        .map(|value| value.raw().to_vec())
        .collect()
}

fn guards(lines: &str) -> Guards {
    let mut guards = Guards::default();
    for line in lines.lines() {
        let mut letters = line.chars();
        let kind = letters.next();
        let place = Pointer::parse(letters.as_str())
            .ok()
            .filter(|place| !place.is_whole());
        match (kind, place) {
            (Some('k'), _) => guards.keys = Keys::Kebab,
            (Some('n'), _) => guards.keys = Keys::Snake,
            (Some('m'), place) => guards.may_change.get_or_insert_default().extend(place),
            (Some('h'), Some(place)) => match &mut guards.sight {
                Sight::Hide(places) => places.push(place),
                sight => *sight = Sight::Hide(vec![place]),
            },
            (Some('s'), Some(place)) => match &mut guards.sight {
                Sight::Show(places) => places.push(place),
                sight => *sight = Sight::Show(vec![place]),
            },
            _ => {}
        }
    }
    guards
}
