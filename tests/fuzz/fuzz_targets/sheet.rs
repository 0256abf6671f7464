//! Files that may be pictures: whatever they are, they become a sheet or are left out.

#![no_main]

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use koigate_core::sheet::{SheetError, draw};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let file = Bytes::copy_from_slice(file);
    match draw(&[file.clone(), file], &AtomicBool::new(false)) {
        Ok(sheet) => {
            assert!(sheet.png.len() <= 10_000_000);
            assert!(sheet.left_out.is_empty());
        }
        Err(SheetError::TooFew { usable, left_out }) => {
            assert_eq!((usable, left_out.len()), (None, 2));
        }
        Err(error) => panic!("{error}"),
    }
});
