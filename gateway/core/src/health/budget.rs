//! The retry budget: calls that are made again must not be what keeps a backend down.

/// What every call pays in.
const DEPOSIT: u32 = 1;
/// What a retry costs: one in ten calls may be made again in the long run.
const PRICE: u32 = 10;
/// What is saved at most, and there at the start: five retries, so that a quiet backend has some too, and two calls
/// that fail together.
const MOST: u32 = 5 * PRICE;

/// The budget of one backend.
///
/// Of any n calls in a row at most `5 + n / 10` are made again, so the backend sees at most 1.2 times the calls over
/// any 50 of them and more, in a total outage too. Time plays no part: a backend that nobody asks earns nothing.
#[derive(Debug, Clone)]
pub struct Budget {
    saved: u32,
}

impl Budget {
    /// Pays in for a call that is made.
    pub fn deposit(&mut self) {
        self.saved = (self.saved + DEPOSIT).min(MOST);
    }

    /// Whether one more try may be made; it is paid for then.
    #[must_use]
    pub fn withdraw(&mut self) -> bool {
        match self.saved.checked_sub(PRICE) {
            Some(left) => {
                self.saved = left;
                true
            }
            None => false,
        }
    }
}

impl Default for Budget {
    /// A full one.
    fn default() -> Self {
        Self { saved: MOST }
    }
}
