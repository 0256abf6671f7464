//! The pixels of a sheet: white, as Telegram keeps no transparency and tables are drawn on light ground.

use std::sync::atomic::AtomicBool;

use image::{DynamicImage, GenericImageView, Rgb, RgbImage, Rgba};

use super::layout::{Layout, Place};
use super::picture;
use super::{LeftOut, Measured, SheetError, Unusable, go_on};

/// How many rows are worked on between two looks at `stop`.
pub(super) const BAND: u32 = 64;

/// Paints each picture at its place, one decoded at a time, and says which could not be.
///
/// Once one is broken the sheet is of no use; the others are still decoded, so that all that are broken are
/// known at once.
pub(super) fn paint(
    layout: &Layout,
    pictures: &[Measured<'_>],
    stop: &AtomicBool,
) -> Result<(RgbImage, Vec<LeftOut>), SheetError> {
    let mut canvas = RgbImage::from_pixel(layout.size.width, layout.size.height, Rgb([u8::MAX; 3]));
    let mut broken = Vec::new();
    for (measured, &place) in pictures.iter().zip(&layout.places) {
        go_on(stop)?;
        match decode(measured) {
            Ok(picture) if broken.is_empty() => paint_one(&mut canvas, picture, place, stop)?,
            Ok(_) => {}
            Err(why) => broken.push(LeftOut {
                picture: measured.index,
                why,
            }),
        }
    }
    Ok((canvas, broken))
}

/// Decodes a picture and holds it to the size that it claimed.
fn decode(measured: &Measured<'_>) -> Result<DynamicImage, Unusable> {
    let picture = picture::decode(measured.bytes)?;
    if measured.size != picture.dimensions().into() {
        return Err(Unusable::Undecodable);
    }
    Ok(picture)
}

fn paint_one(
    canvas: &mut RgbImage,
    picture: DynamicImage,
    place: Place,
    stop: &AtomicBool,
) -> Result<(), SheetError> {
    let (width, height) = (place.size.width, place.size.height);
    let picture = if picture.dimensions() == (width, height) {
        picture
    } else {
        picture.thumbnail_exact(width, height)
    };
    let rows = canvas.rows_mut().skip(place.top as usize);
    for (y, row) in (0..height).zip(rows) {
        if y.is_multiple_of(BAND) {
            go_on(stop)?;
        }
        for (x, pixel) in (0..width).zip(row.skip(place.left as usize)) {
            *pixel = over_white(picture.get_pixel(x, y));
        }
    }
    Ok(())
}

/// The colour that a pixel has on white ground.
fn over_white(Rgba([red, green, blue, alpha]): Rgba<u8>) -> Rgb<u8> {
    let on_white = |channel: u8| {
        let (channel, alpha, white) = (u32::from(channel), u32::from(alpha), u32::from(u8::MAX));
        ((channel * alpha + white * (white - alpha) + white / 2) / white) as u8
    };
    match alpha {
        u8::MAX => Rgb([red, green, blue]),
        _ => Rgb([on_white(red), on_white(green), on_white(blue)]),
    }
}
