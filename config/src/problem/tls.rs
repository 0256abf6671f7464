//! What can be wrong with certificates and keys. No field holds anything of a file's content.

use super::Problem;

problems! {
    /// What is wrong with a `tls` table, or with a file that it names.
    pub enum TlsProblem in Tls {
        /// The file's content stands where its name belongs. It isn't repeated: it may be a key.
        "KG230" Inline,
        /// A file larger than those of certificates are.
        "KG231" TooLarge {
            /// The file.
            path: String,
            /// The most that is read, in bytes.
            most: u64,
        },
        /// A file whose PEM is torn.
        "KG232" Torn {
            /// The file.
            path: String,
        },
        /// A file without a certificate.
        "KG233" NoCertificate {
            /// The file.
            path: String,
            /// What is in it instead.
            found: Found,
        },
        /// A certificate that can't be used.
        "KG234" BadCertificate {
            /// The file.
            path: String,
            /// Which one in the file, counted from 1.
            number: usize,
        },
        /// A file without a private key that can be read.
        "KG235" NoKey {
            /// The file.
            path: String,
            /// What is in it instead.
            found: Found,
        },
        /// A private key that can't be used.
        "KG236" BadKey {
            /// The file.
            path: String,
        },
        /// The key of another certificate.
        "KG237" OtherKey {
            /// The key's file.
            key: String,
            /// The certificate's file.
            cert: String,
        },
        /// Only one of `cert` and `key`.
        "KG238" Half {
            /// The other.
            missing: &'static str,
        },
        /// TLS towards a backend that doesn't speak it.
        "KG239" NotHttps,
    }
}

/// What is in a file that hasn't got what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A certificate in PEM.
    Certificate,
    /// A private key in PEM.
    Key,
    /// A private key in PEM that a password opens.
    EncryptedKey,
    /// ASN.1, which is what PEM is written of.
    Der,
    /// Nothing of the kind.
    Nothing,
}
