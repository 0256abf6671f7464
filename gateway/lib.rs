//! Koigate: a gateway that chains koipy callback services.

pub mod http1;
