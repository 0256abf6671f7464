//! Pictures as services draw them, tables and photos, as files.

use std::io::Cursor;

use bytes::Bytes;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// The cell of a table, in pixels.
const CELL: (u32, u32) = (120, 40);

/// A table: a coloured head, lines, cells that differ, and strokes where text would be.
pub fn table(columns: u32, rows: u32) -> Bytes {
    let (width, height) = CELL;
    let picture = RgbImage::from_fn(columns * width, rows * height, |x, y| {
        let (column, row) = (x / width, y / height);
        let (left, top) = (x % width, y % height);
        let stroke = (left * 7 + column * 13 + row * 31 + top / 3 * 5) % 5 < 2;
        match (left, top) {
            (0, _) | (_, 0) => Rgb([200; 3]),
            _ if row == 0 => Rgb([90, 140, 220]),
            (10..110, 10..28) if left % 9 < 6 && stroke => Rgb([30; 3]),
            _ => Rgb([255 - (row * 37 % 100) as u8, 200 + (column * 11 % 50) as u8, 200]),
        }
    });
    file(picture, ImageFormat::Png)
}

/// A photo: soft shapes under noise, which compresses badly.
pub fn photo(width: u32, height: u32) -> Bytes {
    let mut dice = 1_u64;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let grain = (dice >> 59) as u8;
        Rgb([
            (x / 8) as u8 ^ grain,
            (y / 8) as u8 ^ grain,
            ((x + y) / 16) as u8 ^ grain,
        ])
    });
    file(picture, ImageFormat::Jpeg)
}

#[allow(clippy::expect_used, reason = "a benchmark that measures errors should stop")]
fn file(picture: RgbImage, format: ImageFormat) -> Bytes {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(picture)
        .write_to(&mut file, format)
        .expect("a picture can be written");
    file.into_inner().into()
}

/// Three tables, as three services might draw.
pub fn three_tables() -> Vec<Bytes> {
    vec![table(8, 30), table(5, 12), table(6, 20)]
}
