//! Koigate: a gateway that chains koipy callback services.

pub mod admin;
pub mod http1;
pub mod inbound;
pub mod logging;
pub mod outbound;
pub mod server;
pub mod version;
