//! The sheet as a PNG of at most 10 MB.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use image::{RgbImage, imageops};
use png::{BitDepth, ColorType, Compression, EncodingError};

use super::canvas::BAND;
use super::layout::Size;
use super::{SheetError, go_on};

/// The largest photo that Telegram takes, in bytes: 10 MB, in the smaller meaning of the word.
pub(super) const MAX_PNG: usize = 10_000_000;

/// From which share on a sheet is worth the slow compression, which saves about a third of a photo.
const NEARLY: f64 = 0.7;

/// The most times that a sheet is scaled down: each takes off 5 % of both sides or more.
const MAX_SCALED: usize = 40;

/// Encodes the sheet: fast, as most sheets are tables, far from 10 MB; slower where that may be enough; else
/// scaled down until it fits.
pub(super) fn within_limit(canvas: &RgbImage, stop: &AtomicBool) -> Result<Bytes, SheetError> {
    let mut share = match encode(canvas, Compression::Fast, stop)? {
        Encoded::Whole(png) => return Ok(png),
        Encoded::Part(share) => share,
    };
    if share > NEARLY
        && let Encoded::Whole(png) = encode(canvas, Compression::Balanced, stop)?
    {
        return Ok(png);
    }
    let mut factor = 1.0;
    for _ in 0..MAX_SCALED {
        // The bytes go by the area, if all of it is alike.
        factor *= share.sqrt().min(0.95);
        let size = Size::from(canvas.dimensions()).scaled(factor);
        let smaller = imageops::thumbnail(canvas, size.width, size.height);
        match encode(&smaller, Compression::Fast, stop)? {
            Encoded::Whole(png) => return Ok(png),
            Encoded::Part(less) => share = less,
        }
    }
    Err(SheetError::TooLarge)
}

/// What came of encoding.
enum Encoded {
    /// The PNG.
    Whole(Bytes),
    /// 10 MB were full after this share of the rows.
    Part(f64),
}

fn encode(canvas: &RgbImage, compression: Compression, stop: &AtomicBool) -> Result<Encoded, SheetError> {
    let mut file = Bounded { bytes: Vec::new() };
    let mut done = 0;
    let written = write_rows(canvas, compression, &mut file, |rows| {
        done += rows;
        go_on(stop).is_ok()
    });
    go_on(stop)?;
    match written {
        Ok(()) => {
            // It may be held until a slow caller has taken it; what growing left over need not be.
            file.bytes.shrink_to_fit();
            Ok(Encoded::Whole(file.bytes.into()))
        }
        // The only thing that can fail is the bound.
        Err(_) => Ok(Encoded::Part(done as f64 / f64::from(canvas.height()))),
    }
}

/// Writes a PNG band by band; `go_on` is told how many rows each has.
fn write_rows(
    canvas: &RgbImage,
    compression: Compression,
    file: &mut Bounded,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<(), EncodingError> {
    let mut encoder = png::Encoder::new(file, canvas.width(), canvas.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression);
    let mut writer = encoder.write_header()?;
    let mut writer = writer.stream_writer()?;
    let row = 3 * canvas.width() as usize;
    for rows in canvas.chunks(BAND as usize * row) {
        writer.write_all(rows)?;
        if !go_on(rows.len() / row) {
            break;
        }
    }
    writer.finish()
}

/// A file in memory that takes [`MAX_PNG`] bytes, so that what won't fit is known early.
struct Bounded {
    bytes: Vec<u8>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_PNG {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
