//! Pictures that become one: the slow part of an answer, to be done off the thread and given up in time.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;

use super::Answer;
use crate::attachment::{Attachment, DropReason, Dropped};
use crate::sheet::{self, LeftOut, SheetError, Unusable};

/// Several pictures, still to be drawn into one. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// In the order of the chain, two or more.
    pictures: Vec<Attachment>,
    /// What could not travel with them.
    dropped: Vec<Dropped>,
}

// === impl Drawing ===

impl Drawing {
    pub(super) fn new(pictures: Vec<Attachment>, dropped: Vec<Dropped>) -> Self {
        Self { pictures, dropped }
    }

    /// Draws the sheet: the answer, and what is not in it. May take seconds; returns soon after `stop` is set,
    /// then as [`Drawing::given_up`] does. What is drawn is given to `keep`, which gives it back if there is room
    /// for it.
    ///
    /// Where only one picture can be drawn it passes unchanged; where none can, and without room, the first does.
    pub fn draw(
        &self,
        stop: &AtomicBool,
        keep: impl FnOnce(Bytes) -> Option<Bytes>,
    ) -> (Answer, Vec<Dropped>) {
        let files: Vec<Bytes> = self
            .pictures
            .iter()
            .map(|picture| picture.reply.body.clone())
            .collect();
        match sheet::draw(&files, stop) {
            Ok(sheet) => match keep(sheet.png) {
                Some(png) => (Answer::png(png), self.without(&sheet.left_out)),
                None => self.first_alone(DropReason::NoRoom),
            },
            Err(SheetError::TooFew { usable, left_out }) => {
                let passing = usable.unwrap_or(0);
                let lost: Vec<_> = left_out
                    .into_iter()
                    .filter(|lost| lost.picture != passing)
                    .collect();
                (self.alone(passing), self.without(&lost))
            }
            Err(SheetError::Stopped | SheetError::TooLarge) => self.given_up(),
        }
    }

    /// The answer where the sheet is not ready in time: the first picture alone.
    pub fn given_up(&self) -> (Answer, Vec<Dropped>) {
        self.first_alone(DropReason::Late)
    }

    /// The first picture alone; the others are lost for this reason.
    fn first_alone(&self, reason: DropReason) -> (Answer, Vec<Dropped>) {
        let others = self.pictures.iter().skip(1).map(|lost| lost.dropped(reason));
        (
            self.alone(0),
            self.dropped.iter().cloned().chain(others).collect(),
        )
    }

    /// One picture, unchanged.
    fn alone(&self, index: usize) -> Answer {
        match self.pictures.get(index) {
            Some(picture) => Answer::from_reply(&picture.reply),
            None => Answer::no_content(),
        }
    }

    /// What is lost without these pictures.
    fn without(&self, left_out: &[LeftOut]) -> Vec<Dropped> {
        let lost = left_out.iter().filter_map(|lost| {
            let reason = match lost.why {
                Unusable::Undecodable => DropReason::Undecodable,
                Unusable::TooLarge => DropReason::TooLarge,
            };
            Some(self.pictures.get(lost.picture)?.dropped(reason))
        });
        self.dropped.iter().cloned().chain(lost).collect()
    }
}
