//! What is wrong with certificates and keys, in words.

use crate::problem::{Found, TlsProblem, Validity};

pub(super) fn problem(problem: &TlsProblem) -> (String, String) {
    match problem {
        TlsProblem::Inline => (
            "this is the content of a file, and its name belongs here".into(),
            "Put it into a file beside the configuration, and write that file's name.".into(),
        ),
        TlsProblem::TooLarge { path, most } => (
            format!("the file `{path}` is larger than {most} bytes"),
            "Name the file in PEM: this is another.".into(),
        ),
        TlsProblem::Torn { path } => (
            format!("the PEM in `{path}` is torn"),
            "Copy the file anew, each part from its line `-----BEGIN` to its line `-----END`.".into(),
        ),
        TlsProblem::NoCertificate { path, found } => {
            (format!("there is no certificate in `{path}`"), no_certificate(path, *found))
        }
        TlsProblem::BadCertificate { path, number } => (
            format!("certificate {number} in `{path}` can't be used"),
            "Write an X.509 certificate of version 3, in PEM: `openssl x509 -text -in FILE` shows what it is.".into(),
        ),
        TlsProblem::NoKey { path, found } => (
            match found {
                Found::EncryptedKey => format!("the private key in `{path}` is locked with a password"),
                _ => format!("there is no private key in `{path}`"),
            },
            no_key(path, *found),
        ),
        TlsProblem::BadKey { path } => (
            format!("the private key in `{path}` can't be used"),
            "Make one that can: RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519.".into(),
        ),
        TlsProblem::OtherKey { key, cert } => (
            format!("the private key in `{key}` is not that of the certificate in `{cert}`"),
            "Name the key that the certificate was made for; the certificate itself comes first in its file.".into(),
        ),
        TlsProblem::Half { missing } => (
            format!("a certificate is shown with its key, and there is no `{missing}`"),
            format!("Add `{missing}` beside it, or remove it."),
        ),
        TlsProblem::NotHttps => (
            "this backend doesn't speak TLS: its URL is http".into(),
            "Write https:// in the URL, or remove `tls`.".into(),
        ),
    }
}

fn no_certificate(path: &str, found: Found) -> String {
    match found {
        Found::Key | Found::EncryptedKey => "Name the certificate's file: this is a private key.".into(),
        Found::Der => format!("Write it as PEM: `openssl x509 -inform der -in {path} -out cert.pem`."),
        Found::Certificate | Found::Nothing => {
            "Name a file in PEM, with a line `-----BEGIN CERTIFICATE-----`.".into()
        }
    }
}

fn no_key(path: &str, found: Found) -> String {
    match found {
        Found::Certificate => "Name the key's file: this is a certificate.".into(),
        Found::EncryptedKey => {
            format!(
                "Unlock it, in a file that only this user may read: `openssl pkey -in {path} -out key.pem`."
            )
        }
        Found::Der => format!("Write it as PEM: `openssl pkey -inform der -in {path} -out key.pem`."),
        Found::Key | Found::Nothing => {
            "Name a file in PEM, with a line `-----BEGIN PRIVATE KEY-----`.".into()
        }
    }
}

pub(super) fn validity(path: &str, validity: &Validity) -> (String, String) {
    match validity {
        Validity::From(date) => (
            format!("the certificate in `{path}` is not valid before {date}"),
            "Use one that is valid already, or set this machine's clock.".into(),
        ),
        Validity::Expired(date) => (
            format!("the certificate in `{path}` expired on {date}"),
            "Put a new one into its place: the files are watched, and read again.".into(),
        ),
        Validity::Until(date) => (
            format!("the certificate in `{path}` expires on {date}"),
            "Put a new one into its place before: the files are watched, and read again.".into(),
        ),
    }
}
