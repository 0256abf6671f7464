//! What can be wrong with a file as a whole, or as TOML.

use std::io::ErrorKind;

use super::Problem;

problems! {
    /// What is wrong with the file as a whole, or with it as TOML.
    pub enum FileProblem in File {
        /// It can't be read.
        "KG001" Unreadable {
            /// Why.
            error: ErrorKind,
        },
        /// It is larger than a configuration ever is.
        "KG002" TooLarge {
            /// The most that is read, in bytes.
            most: u64,
        },
        /// It isn't UTF-8 from here on.
        "KG003" NotUtf8,
        /// It isn't TOML here.
        "KG004" Syntax {
            /// What the parser says; it names what it expected, never what it found.
            message: String,
            /// What was probably meant.
            slip: Option<Slip>,
        },
        /// There are more problems than are shown.
        "KG005" TooMany {
            /// The most that are shown.
            most: usize,
        },
        /// Nothing stands in it but white space and comments.
        "KG006" Empty,
        /// It is another format's.
        "KG007" OtherFormat {
            /// Which.
            format: &'static str,
        },
    }
}

/// What was probably meant where a text isn't TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// Quotation marks that aren't TOML's: `“reject”`.
    Quotes,
    /// A character of a Chinese keyboard.
    FullWidth {
        /// What stands there.
        wrong: char,
        /// What should.
        right: char,
    },
    /// `key: value`
    Colon,
    /// A name in other letters than ASCII's.
    Name,
    /// A key or a table that is there already.
    Duplicate,
    /// A path of Windows in a string where `\` has a meaning.
    Backslash,
    /// `True`
    Boolean,
    /// A bracket without its other.
    Unclosed,
    /// No comma, or the line above isn't closed.
    Comma,
    /// A string without its end.
    OpenString,
    /// A string without quotes.
    Unquoted,
}
