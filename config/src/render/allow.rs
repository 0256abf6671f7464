//! What is wrong with the addresses that hooks may come from, in words.

use crate::problem::AllowProblem;

pub(super) fn problem(problem: &AllowProblem) -> (String, String) {
    match problem {
        AllowProblem::NotANetwork { nearest } => (
            "this is not an address, nor a network of addresses".into(),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => "Write \"192.0.2.7\", or with the length of its prefix \"192.0.2.0/24\".".into(),
            },
        ),
        AllowProblem::HostBits { meant, alone } => (
            "this is an address within a network, with the network's length".into(),
            format!("Write \"{meant}\" for the network, or \"{alone}\" for the address alone."),
        ),
        AllowProblem::Nobody => (
            "hooks may come from nowhere".into(),
            "Write an address, or remove `allow` to let them come from everywhere.".into(),
        ),
    }
}
