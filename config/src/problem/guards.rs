//! What can be wrong with a backend's guards.

use koigate_core::pointer::PointerError;

use super::Problem;

problems! {
    /// What is wrong with what a backend may see, change and say.
    pub enum GuardProblem in Guard {
        /// Not a JSON Pointer.
        "KG090" NotAPointer {
            /// Why.
            error: PointerError,
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// The whole document, where only a part of it makes sense.
        "KG091" WholeDocument {
            /// The key.
            key: &'static str,
        },
        /// The place is named already.
        "KG092" PlaceTwice {
            /// How.
            by: String,
        },
        /// Either of the two is all that can be said.
        "KG093" HideAndShow,
        /// `may_change` of a backend that may change nothing.
        "KG094" UnusedMayChange,
        /// The word is there already.
        "KG095" PowerTwice {
            /// Which.
            word: &'static str,
        },
    }
}
