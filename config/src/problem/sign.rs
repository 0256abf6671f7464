//! What can be wrong with what calls are signed with. No field holds anything of a secret.

use super::Problem;

problems! {
    /// What is wrong with a backend's signature.
    pub enum SignProblem in Sign {
        /// Not a secret as Standard Webhooks writes it.
        "KG084" NotAKey,
        /// None, or more than are ever exchanged.
        "KG085" Number {
            /// The most.
            most: usize,
        },
        /// The same twice.
        "KG086" Twice,
    }
}
