//! What can be wrong with how a backend's health is told.

use super::Problem;

problems! {
    /// What is wrong with a backend's active check.
    pub enum HealthProblem in Health {
        /// Not a path that a request can ask for.
        "KG240" NotAPath,
    }
}
