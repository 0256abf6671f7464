//! One picture of a backend: its size before it is decoded, and its pixels within bounds.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use memchr::memmem;

use super::layout::Size;

/// The most pixels of one picture: as many as the largest photo that Telegram takes has (5,000 by 5,000).
pub(super) const MAX_PIXELS: u64 = 25_000_000;

/// The most memory of one decoded picture, in bytes: [`MAX_PIXELS`] of four bytes. Decoders that keep to it
/// take no more for themselves.
const MAX_BYTES: u64 = 4 * MAX_PIXELS;

/// Why a picture can't be on a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It is no PNG, JPEG, GIF or WebP, or a broken one.
    Undecodable,
    /// It would break the limits on pixels and memory.
    TooLarge,
}

/// The size that a picture's header claims, turned as it wants to be; nothing is decoded.
pub(super) fn measure(bytes: &[u8]) -> Result<Size, Unusable> {
    let mut decoder = open(bytes)?;
    let size = Size::from(decoder.dimensions());
    if size.pixels() == 0 {
        return Err(Unusable::Undecodable);
    }
    if size.pixels() > MAX_PIXELS || decoder.total_bytes() > MAX_BYTES {
        return Err(Unusable::TooLarge);
    }
    Ok(match orientation(&mut decoder) {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => size.turned(),
        _ => size,
    })
}

/// The pixels of a picture that was measured, turned as it wants to be.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, Unusable> {
    let mut decoder = open(bytes)?;
    let orientation = orientation(&mut decoder);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unusable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Opens a picture by its bytes, whatever its label says.
fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, Unusable> {
    if is_cut_jpeg(bytes) {
        return Err(Unusable::Undecodable);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| Unusable::Undecodable)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    reader.into_decoder().map_err(unusable)
}

/// How the picture wants to be turned (Exif); a broken wish is none.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

/// Whether these bytes are a JPEG that ends before its end: the decoder fills up with grey what is missing.
///
/// In the coded data 0xFF is escaped, so the last end marker (EOI) comes after the last scan (SOS), whatever
/// previews there are in front of it.
fn is_cut_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xd8\xff")
        && memmem::rfind(bytes, b"\xff\xd9") < memmem::rfind(bytes, b"\xff\xda")
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unusable(error: ImageError) -> Unusable {
    match error {
        ImageError::Limits(_) => Unusable::TooLarge,
        _ => Unusable::Undecodable,
    }
}
