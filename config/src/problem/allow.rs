//! What can be wrong with the addresses that hooks may come from.

use super::Problem;

problems! {
    /// What is wrong with `server.allow`.
    pub enum AllowProblem in Allow {
        /// Neither an address nor a network.
        "KG220" NotANetwork {
            /// What was probably meant.
            nearest: Option<String>,
        },
        /// An address within a network where the network's own belongs.
        "KG221" HostBits {
            /// The network.
            meant: String,
            /// The address.
            alone: String,
        },
        /// An array of nobody.
        "KG222" Nobody,
    }
}
