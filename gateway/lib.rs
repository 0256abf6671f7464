//! Koigate: a gateway that chains koipy callback services.

pub mod http1;
pub mod logging;
pub mod version;
