//! What can be wrong with environment variables that override keys. No field holds a value.

use super::Problem;

problems! {
    /// What is wrong with an environment variable that shall override a key.
    pub enum OverrideProblem in Override {
        /// No such key.
        "KG033" Unknown {
            /// What isn't known.
            name: String,
            /// The table where it isn't, empty for the file itself.
            table: String,
            /// The variable that was probably meant.
            nearest: Option<String>,
            /// Everything known there.
            known: Vec<String>,
        },
        /// Several keys are spelt so.
        "KG034" Ambiguous {
            /// Them.
            keys: Vec<String>,
        },
        /// A backend or a hook that isn't in the file.
        "KG035" NotInFile {
            /// `backends` or `hooks`.
            table: String,
            /// Its name, as the variable spells it.
            name: String,
        },
        /// A table that has no value, but keys.
        "KG036" WholeTable {
            /// The table.
            table: String,
            /// A variable for one of its keys.
            example: Option<String>,
        },
        /// A value that has to be written as in the file, and isn't.
        "KG037" NotToml {
            /// What the key takes.
            expected: &'static str,
        },
        /// Another variable overrides the same key, or a part of its value.
        "KG038" Twice {
            /// The other.
            other: String,
        },
        /// The value isn't Unicode.
        "KG039" NotUnicode,
    }
}
