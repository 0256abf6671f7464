//! Koigate's configuration: one TOML file to a checked [`koigate_core::plan::Plan`], or every problem with its place.
