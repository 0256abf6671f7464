//! Koigate.
fn main() {}
