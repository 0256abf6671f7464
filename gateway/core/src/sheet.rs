//! Several pictures in one: koipy sends one picture an answer, so all that a chain's services drew become one
//! PNG that Telegram takes.
//!
//! Backends are not trusted: what a picture claims is checked before it is decoded, one picture is decoded at
//! a time, and what would break a limit is left out. At the most there are, beside the replies themselves,
//! the sheet (75 MB, 25 million pixels of three bytes), one decoded picture (100 MiB, and as much again
//! inside some decoders) and the PNG (10 MB). It is slow work for a thread of its own, and can be stopped.

mod canvas;
mod encode;
mod layout;
mod picture;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use self::layout::{Layout, Size};
pub use self::picture::Unusable;

/// The most pictures on a sheet.
const MAX_PICTURES: usize = 256;

/// The most pixels that all pictures of a sheet have before they are scaled: four of the largest.
const MAX_PIXELS: u64 = 4 * picture::MAX_PIXELS;

/// A sheet, drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The PNG, within all of Telegram's limits on photos.
    pub png: Bytes,
    /// The pictures that are not on it.
    pub left_out: Vec<LeftOut>,
}

/// A picture that is not on the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Which one: its place among those given.
    pub picture: usize,
    /// Why.
    pub why: Unusable,
}

/// Why there is no sheet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// It was told to stop.
    #[error("stopped before the sheet was ready")]
    Stopped,
    /// A sheet of one picture, or of none, is no sheet.
    #[error("fewer than two pictures can be drawn")]
    TooFew {
        /// The place of the only one that can be drawn.
        usable: Option<usize>,
        /// The others.
        left_out: Vec<LeftOut>,
    },
    /// However it was scaled, it was more than 10 MB.
    #[error("the sheet does not fit")]
    TooLarge,
}

/// Draws pictures in their order into one PNG on white: one below the other, or in as few columns as keep
/// Telegram's limits on photos (10 MB, width + height up to 10,000 px, sides' ratio up to 20); if none does,
/// scaled down, with a margin where a sheet would be too slim. Of an animation, the first frame.
///
/// `stop` is looked at between pictures and every few rows.
///
/// # Errors
///
/// See [`SheetError`]; none of them is the fault of a single picture, which is just left out.
pub fn draw(pictures: &[Bytes], stop: &AtomicBool) -> Result<Sheet, SheetError> {
    let (mut usable, mut left_out) = measure(pictures);
    loop {
        let layout = Layout::of(&usable.iter().map(|picture| picture.size).collect::<Vec<_>>());
        let (canvas, broken) = canvas::paint(&layout, &usable, stop)?;
        if broken.is_empty() {
            left_out.sort_by_key(|one| one.picture);
            return match usable.as_slice() {
                [] | [_] => Err(SheetError::TooFew {
                    usable: usable.first().map(|only| only.index),
                    left_out,
                }),
                _ => encode::within_limit(&canvas, stop).map(|png| Sheet { png, left_out }),
            };
        }
        // Only now known to be broken. The sheet is laid out again without them, so this ends.
        usable.retain(|picture| broken.iter().all(|one| one.picture != picture.index));
        left_out.extend(broken);
    }
}

/// A picture that may be on the sheet.
#[derive(Debug, Clone, Copy)]
struct Measured<'a> {
    /// Its place among those given.
    index: usize,
    /// The file.
    bytes: &'a Bytes,
    /// What its header claims, after turning it as it wants to be turned.
    size: Size,
}

/// Reads the pictures' headers: who may be on the sheet, and who may not.
fn measure(pictures: &[Bytes]) -> (Vec<Measured<'_>>, Vec<LeftOut>) {
    let mut usable = Vec::new();
    let mut left_out = Vec::new();
    let mut room = MAX_PIXELS;
    for (index, bytes) in pictures.iter().enumerate() {
        let size = picture::measure(bytes).and_then(|size| {
            let fits = usable.len() < MAX_PICTURES && size.pixels() <= room;
            fits.then_some(size).ok_or(Unusable::TooLarge)
        });
        match size {
            Ok(size) => {
                room -= size.pixels();
                usable.push(Measured { index, bytes, size });
            }
            Err(why) => left_out.push(LeftOut { picture: index, why }),
        }
    }
    (usable, left_out)
}

/// Whether to go on.
fn go_on(stop: &AtomicBool) -> Result<(), SheetError> {
    if stop.load(Ordering::Relaxed) {
        return Err(SheetError::Stopped);
    }
    Ok(())
}
