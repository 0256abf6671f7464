use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, GenericImageView, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Bytes {
    let mut file = Cursor::new(Vec::new());
    picture.into().write_to(&mut file, format).unwrap();
    file.into_inner().into()
}

fn plain(width: u32, height: u32, colour: [u8; 3]) -> Bytes {
    file(RgbImage::from_pixel(width, height, Rgb(colour)), ImageFormat::Png)
}

fn drawn(pictures: &[Bytes]) -> Result<Sheet, SheetError> {
    draw(pictures, &AtomicBool::new(false))
}

/// The sheet's pixels, and the pictures that are not on it.
fn sheet(pictures: &[Bytes]) -> (DynamicImage, Vec<LeftOut>) {
    let sheet = drawn(pictures).unwrap();
    let pixels = image::load_from_memory_with_format(&sheet.png, ImageFormat::Png).unwrap();
    (pixels, sheet.left_out)
}

fn colour(sheet: &DynamicImage, x: u32, y: u32) -> [u8; 3] {
    let Rgba([red, green, blue, alpha]) = sheet.get_pixel(x, y);
    assert_eq!(alpha, 255);
    [red, green, blue]
}

fn lost(picture: usize, why: Unusable) -> LeftOut {
    LeftOut { picture, why }
}

#[test]
fn pictures_stand_below_each_other_in_order_on_white() {
    let (sheet, left_out) = sheet(&[plain(30, 20, RED), plain(10, 5, GREEN), plain(20, 7, BLUE)]);
    assert_eq!((sheet.dimensions(), left_out), ((30, 32), vec![]));
    for (x, y, expected) in [
        (0, 0, RED),
        (29, 19, RED),
        (0, 20, GREEN),
        (9, 24, GREEN),
        (10, 20, WHITE),
        (0, 25, BLUE),
        (19, 31, BLUE),
        (20, 31, WHITE),
    ] {
        assert_eq!(colour(&sheet, x, y), expected, "{x} {y}");
    }
}

#[test]
fn formats_are_told_by_their_bytes() {
    let red = || RgbImage::from_pixel(16, 16, Rgb(RED));
    for format in [
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Jpeg,
    ] {
        let (sheet, left_out) = sheet(&[file(red(), format), plain(16, 16, BLUE)]);
        assert_eq!((sheet.dimensions(), left_out), ((16, 32), vec![]), "{format:?}");
        let [red, green, blue] = colour(&sheet, 8, 8);
        assert!(red > 250 && green < 5 && blue < 5, "{format:?}");
    }
}

#[test]
fn depths_and_transparency_end_on_white() {
    let check = |picture: DynamicImage, expected: [u8; 3]| {
        let (sheet, _) = sheet(&[file(picture, ImageFormat::Png), plain(4, 4, BLUE)]);
        assert_eq!(colour(&sheet, 1, 1), expected);
    };
    check(RgbaImage::from_pixel(4, 4, Rgba([0, 0, 0, 0])).into(), WHITE);
    check(
        RgbaImage::from_pixel(4, 4, Rgba([255, 0, 0, 128])).into(),
        [255, 127, 127],
    );
    check(RgbImage::from_pixel(4, 4, Rgb([90; 3])).into(), [90; 3]);
    check(
        DynamicImage::ImageRgb8(RgbImage::from_pixel(4, 4, Rgb([90; 3])))
            .to_luma16()
            .into(),
        [90; 3],
    );
    check(
        DynamicImage::ImageRgba8(RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 255])))
            .to_rgba16()
            .into(),
        [1, 2, 3],
    );
}

#[test]
fn an_animation_gives_its_first_frame() {
    let mut animation = Vec::new();
    let mut encoder = GifEncoder::new(&mut animation);
    for frame in [RED, BLUE] {
        let [red, green, blue] = frame;
        let frame = RgbaImage::from_pixel(8, 8, Rgba([red, green, blue, 255]));
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let (sheet, _) = sheet(&[animation.into(), plain(8, 8, GREEN)]);
    assert_eq!(colour(&sheet, 4, 4), RED);
}

#[test]
fn a_photo_is_turned_as_it_wants() {
    let mut photo = RgbImage::from_pixel(32, 16, Rgb(RED));
    for x in 16..32 {
        for y in 0..16 {
            photo.put_pixel(x, y, Rgb(BLUE));
        }
    }
    let photo = file(photo, ImageFormat::Jpeg);
    // An Exif block with nothing but Orientation = 6, a quarter to the right, after the start marker.
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let photo = [&photo[..2], exif, &photo[2..]].concat();
    let (sheet, left_out) = sheet(&[photo.into(), plain(16, 16, GREEN)]);
    assert_eq!((sheet.dimensions(), left_out), ((16, 48), vec![]));
    let ([top, _, _], [_, _, bottom]) = (colour(&sheet, 8, 4), colour(&sheet, 8, 28));
    assert!(top > 250 && bottom > 250);
}

/// A PNG of 67 bytes that claims to be of this size.
fn claim(width: u32, height: u32) -> Bytes {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let checked = [name, content].concat();
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[..], &checked, &crc32(&checked).to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let empty = [0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1, 0];
    let file = [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", &empty),
        &chunk(b"IEND", b""),
    ]
    .concat();
    assert_eq!(file.len(), 67);
    file.into()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 {
            crc >> 1 ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

fn cut(file: &Bytes) -> Bytes {
    file.slice(..file.len() * 2 / 3)
}

/// Something that doesn't compress, the same each time.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u64;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [.., red, green, blue] = state.to_le_bytes();
        Rgb([red, green, blue])
    })
}

#[test]
fn what_can_not_be_drawn_is_left_out() {
    let good = plain(10, 10, RED);
    let noisy = |format| file(noise(40, 40), format);
    let svg = Bytes::from_static(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>");
    let check = |bad: Bytes, why| {
        let (sheet, left_out) = sheet(&[good.clone(), bad, good.clone()]);
        assert_eq!((sheet.dimensions(), left_out), ((10, 20), vec![lost(1, why)]));
    };
    check(Bytes::new(), Unusable::Undecodable);
    check(Bytes::from_static(b"no picture"), Unusable::Undecodable);
    check(svg, Unusable::Undecodable);
    check(claim(0, 10), Unusable::Undecodable);
    check(claim(10, 10), Unusable::Undecodable);
    for format in [
        ImageFormat::Png,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Jpeg,
    ] {
        check(cut(&noisy(format)), Unusable::Undecodable);
    }
    check(good.slice(..40), Unusable::Undecodable);
    check(
        Bytes::from_static(b"BM too old to be drawn"),
        Unusable::Undecodable,
    );
    check(claim(60_000, 60_000), Unusable::TooLarge);
    check(claim(u32::MAX >> 1, 1), Unusable::TooLarge);
    check(claim(5_001, 5_000), Unusable::TooLarge);
}

#[test]
fn pictures_together_have_a_limit_too() {
    let large = claim(5_000, 5_000);
    let small = plain(10, 10, BLUE);
    let many = [vec![large; 5], vec![small]].concat();
    let (usable, left_out) = measure(&many);
    assert_eq!(
        left_out,
        [lost(4, Unusable::TooLarge), lost(5, Unusable::TooLarge)]
    );
    assert_eq!(usable.len(), 4);

    let many = vec![plain(1, 1, RED); 257];
    let (usable, left_out) = measure(&many);
    assert_eq!(
        (usable.len(), left_out),
        (256, vec![lost(256, Unusable::TooLarge)])
    );
}

#[test]
fn one_picture_is_no_sheet() {
    let good = plain(10, 10, RED);
    let bad = Bytes::from_static(b"bad");
    let torn = cut(&file(noise(40, 40), ImageFormat::Png));
    let check = |pictures: &[&Bytes], usable, bad: &[usize]| {
        let pictures: Vec<_> = pictures.iter().copied().cloned().collect();
        let left_out = bad
            .iter()
            .map(|&index| lost(index, Unusable::Undecodable))
            .collect();
        assert_eq!(drawn(&pictures), Err(SheetError::TooFew { usable, left_out }));
    };
    check(&[], None, &[]);
    check(&[&good], Some(0), &[]);
    check(&[&bad, &good, &torn], Some(1), &[0, 2]);
    check(&[&bad, &torn], None, &[0, 1]);
}

#[test]
fn what_does_not_fit_10_mb_is_scaled_down() {
    let noisy = file(noise(1_500, 1_300), ImageFormat::Png);
    let sheet = drawn(&[noisy.clone(), noisy]).unwrap();
    assert!(sheet.png.len() <= encode::MAX_PNG, "{}", sheet.png.len());
    let (width, height) = image::load_from_memory(&sheet.png).unwrap().dimensions();
    assert!((1_150..=1_425).contains(&width), "{width}");
    assert!((height as f64 / width as f64 - 2_600.0 / 1_500.0).abs() < 0.01);
}

#[test]
fn it_stops_when_told() {
    let pictures = [plain(10, 10, RED), plain(10, 10, BLUE)];
    assert_eq!(draw(&pictures, &AtomicBool::new(true)), Err(SheetError::Stopped));
}
