//! Koigate: a gateway that chains koipy callback services.
