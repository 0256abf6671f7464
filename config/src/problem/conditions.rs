//! What can be wrong with a backend's conditions. Their places are guarded as others are.

use koigate_core::condition::PatternError;

use super::Problem;

problems! {
    /// What is wrong with a condition.
    pub enum ConditionProblem in Condition {
        /// No comparison, or several.
        "KG096" NotOneComparison,
        /// Nothing to compare with.
        "KG097" EmptyList,
        /// Not a regular expression.
        "KG098" NotAPattern {
            /// Why.
            error: PatternError,
        },
    }
}
