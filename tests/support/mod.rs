//! What the suites are written with: a bot, backends that can be told anything, and the real program between.

pub(crate) mod backend;
pub(crate) mod canary;
pub(crate) mod control;
pub(crate) mod faults;
pub(crate) mod gateway;
pub(crate) mod koipy;
pub(crate) mod load;
pub(crate) mod payload;
pub(crate) mod promql;
pub(crate) mod python;
pub(crate) mod reply;
pub(crate) mod scrape;
pub(crate) mod script;
pub(crate) mod tls;
pub(crate) mod wire;
