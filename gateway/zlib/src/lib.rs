//! The part of `libz-ng-sys` that flate2 calls, over zlib-rs, so that no build needs cmake.
//!
//! Pingora asks for flate2 with its `zlib-ng` backend, which cargo can't take away again; this crate is
//! patched in under that name. It holds no logic: every function hands its arguments on. It is the only crate
//! of ours with `unsafe` in it, since the functions it mirrors are C's.

#![allow(non_camel_case_types, non_snake_case)]
#![allow(
    clippy::missing_safety_doc,
    reason = "each function has the contract of zlib's function of that name"
)]
#![allow(clippy::too_many_arguments, reason = "zlib's own signatures")]

use std::ffi::{c_char, c_int, c_ulong, c_void};

pub use libz_rs_sys::{
    Bytef, Z_BLOCK, Z_BUF_ERROR, Z_DATA_ERROR, Z_DEFAULT_STRATEGY, Z_DEFLATED, Z_FINISH, Z_FULL_FLUSH,
    Z_MEM_ERROR, Z_NEED_DICT, Z_NO_FLUSH, Z_OK, Z_PARTIAL_FLUSH, Z_STREAM_END, Z_STREAM_ERROR, Z_SYNC_FLUSH,
    uInt, uLong, zlibVersion,
};

/// Opaque, as in zlib.
pub enum internal_state {}

/// zlib's `z_stream`, field for field.
///
/// It differs from zlib-rs's in one thing: `zalloc` and `zfree` are plain function pointers here (flate2 always
/// sets them) and `Option`s there, which have the same layout.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct z_stream {
    /// The next byte to read.
    pub next_in: *mut Bytef,
    /// How many bytes may be read there.
    pub avail_in: uInt,
    /// How many were read so far.
    pub total_in: c_ulong,
    /// Where the next byte goes.
    pub next_out: *mut Bytef,
    /// How many bytes fit there.
    pub avail_out: uInt,
    /// How many were written so far.
    pub total_out: c_ulong,
    /// The last error, a C string, or null.
    pub msg: *mut c_char,
    /// zlib's own.
    pub state: *mut internal_state,
    /// Allocates.
    pub zalloc: unsafe extern "C" fn(*mut c_void, uInt, uInt) -> *mut c_void,
    /// Frees.
    pub zfree: unsafe extern "C" fn(*mut c_void, *mut c_void),
    /// Passed to both.
    pub opaque: *mut c_void,
    /// A guess at text or binary.
    pub data_type: c_int,
    /// The checksum so far.
    pub adler: c_ulong,
    /// Unused.
    pub reserved: uLong,
}

/// A pointer to a stream.
pub type z_streamp = *mut z_stream;

const _: () = assert!(size_of::<z_stream>() == size_of::<libz_rs_sys::z_stream>());
const _: () = assert!(align_of::<z_stream>() == align_of::<libz_rs_sys::z_stream>());

/// Declares functions that hand a stream, and whatever else they take, to zlib-rs.
macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[doc = concat!("zlib's `", stringify!($name), "`.")]
        pub unsafe extern "C" fn $name(strm: z_streamp $(, $argument: $kind)*) -> c_int {
            // SAFETY: the caller keeps zlib's contract, and both structs have one layout (see `z_stream`).
            unsafe { libz_rs_sys::$name(strm.cast() $(, $argument)*) }
        }
    )*};
}

forward! {
    deflate(flush: c_int);
    deflateEnd();
    deflateReset();
    deflateParams(level: c_int, strategy: c_int);
    deflateSetDictionary(dictionary: *const Bytef, length: uInt);
    deflateInit2_(
        level: c_int, method: c_int, window_bits: c_int, memory_level: c_int, strategy: c_int,
        version: *const c_char, stream_size: c_int
    );
    inflate(flush: c_int);
    inflateEnd();
    inflateReset();
    inflateReset2(window_bits: c_int);
    inflateSetDictionary(dictionary: *const Bytef, length: uInt);
    inflateInit2_(window_bits: c_int, version: *const c_char, stream_size: c_int);
}
