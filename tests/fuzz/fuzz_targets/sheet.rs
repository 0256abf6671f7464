//! Files that may be pictures: whatever they are, they become a sheet within Telegram's limits or are left out,
//! each one accounted for. What a picture takes in memory is bounded by the limit that the target runs under.
//!
//! Pieces of an input are parted by `--koigate--`; one alone stands for two.
#![no_main]

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use koigate_core::sheet::{LeftOut, SheetError, draw};
use libfuzzer_sys::fuzz_target;

/// What parts two files.
const MARK: &str = "--koigate--";

/// The most files of one input: enough for two columns.
const MOST: usize = 8;

fuzz_target!(|input: &[u8]| {
    let files = pieces(input);
    match draw(&files, &AtomicBool::new(false)) {
        Ok(sheet) => {
            let left_out = places(&sheet.left_out);
            assert_eq!(left_out.len(), sheet.left_out.len(), "left out twice");
            assert!(left_out.len() + 2 <= files.len());
            check_png(&sheet.png);
        }
        Err(SheetError::TooFew { usable, left_out }) => {
            let left_out = places(&left_out);
            assert!(usable.is_none_or(|usable| !left_out.contains(&usable)));
            assert_eq!(usable.iter().count() + left_out.len(), files.len());
        }
        Err(error) => panic!("{error}"),
    }
    assert!(
        draw(&files, &AtomicBool::new(true)).is_err(),
        "nobody draws who was told to stop"
    );
});

fn pieces(mut input: &[u8]) -> Vec<Bytes> {
    let mut files = Vec::new();
    while let Some(at) = input
        .windows(MARK.len())
        .position(|window| window == MARK.as_bytes())
    {
        files.push(Bytes::copy_from_slice(&input[..at]));
        input = &input[at + MARK.len()..];
    }
    files.push(Bytes::copy_from_slice(input));
    if let [file] = files.as_slice() {
        files = vec![file.clone(), file.clone()];
    }
    files.truncate(MOST);
    files
}

fn places(left_out: &[LeftOut]) -> BTreeSet<usize> {
    left_out.iter().map(|one| one.picture).collect()
}

/// A PNG that Telegram takes.
fn check_png(png: &[u8]) {
    assert!(png.len() <= 10_000_000);
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(png)).expect("a PNG");
    let (width, height) = image::ImageDecoder::dimensions(&decoder);
    let (short, long) = (width.min(height), width.max(height));
    assert!(
        short >= 1 && width + height <= 10_000 && long <= 20 * short,
        "{width} by {height}"
    );
}
