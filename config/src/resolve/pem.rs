//! Certificates and keys in PEM files (RFC 7468). They are checked by the library that will use them, so that what
//! can't be used is found here and not when the first call fails. Only what belongs to them is taken from a file:
//! neither comments nor what else stands there.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use koigate_core::plan::{Certificates, Identity};
use koigate_core::secret::Secret;
use rustls::RootCertStore;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use x509_parser::certificate::Validity as Period;
use x509_parser::parse_x509_certificate;

use super::Surroundings;
use crate::mask::may_be_pem;
use crate::place::Placed;
use crate::problem::{Found, Problem, SecretProblem, TlsProblem, Validity, Warning, quotable};
use crate::report::Findings;

/// The largest file that is read, in bytes. A bundle of every root that browsers know has 220 KiB.
const MOST: u64 = 1 << 20;

/// Who has to renew a certificate wants to know so long before.
const NOTICE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// In so many parts of its time; a certificate of a few days is renewed later.
const PARTS: u32 = 4;

/// The certificates that sign others, or nothing where they can't be used, which is noted.
pub(super) fn authorities(
    written: &Placed<String>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Certificates> {
    let chain = noted(written, read_authorities(written, around), findings)?;
    Some(pem_of(&chain))
}

/// A certificate and its key, or nothing where they can't be used, which is noted.
pub(super) fn identity(
    (cert, key): (&Placed<String>, &Placed<String>),
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Identity> {
    let chain = noted(cert, read_chain(cert, around), findings);
    let private = noted(key, read_key(key, around), findings);
    let (chain, private) = (chain?, private?);
    if let Some(period) = chain.first().and_then(period) {
        note_validity(cert, &period, around, findings);
    }
    let identity = Identity {
        chain: pem_of(&chain),
        key: Secret::new(key_in_pem(&private)),
    };
    match pair((cert, chain), (key, private)) {
        Ok(()) => Some(identity),
        Err((at, problem)) => {
            findings.note(&at.span, problem);
            None
        }
    }
}

fn noted<T>(at: &Placed<String>, result: Result<T, Problem>, findings: &mut Findings) -> Option<T> {
    result.map_err(|problem| findings.note(&at.span, problem)).ok()
}

/// Whether the key is that of the first certificate; if not, what is wrong with which of the two.
fn pair<'a>(
    (cert, chain): (&'a Placed<String>, Vec<CertificateDer<'static>>),
    (key, private): (&'a Placed<String>, PrivateKeyDer<'static>),
) -> Result<(), (&'a Placed<String>, TlsProblem)> {
    let (cert_path, key_path) = (quotable(&cert.value), quotable(&key.value));
    let Ok(signing) = any_supported_type(&private) else {
        return Err((key, TlsProblem::BadKey { path: key_path }));
    };
    match CertifiedKey::new(chain, signing).keys_match() {
        // What can't tell its public key may be the right one.
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(TlsError::InconsistentKeys(_)) => {
            let (key_file, cert) = (key_path, cert_path);
            Err((key, TlsProblem::OtherKey { key: key_file, cert }))
        }
        Err(_) => {
            let (path, number) = (cert_path, 1);
            Err((cert, TlsProblem::BadCertificate { path, number }))
        }
    }
}

// === reading ===

fn read_authorities(
    written: &Placed<String>,
    around: &Surroundings<'_>,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = read_chain(written, around)?;
    for (index, certificate) in certificates.iter().enumerate() {
        if RootCertStore::empty().add(certificate.clone()).is_err() {
            let (path, number) = (quotable(&written.value), index + 1);
            return Err(TlsProblem::BadCertificate { path, number }.into());
        }
    }
    Ok(certificates)
}

fn read_chain(
    written: &Placed<String>,
    around: &Surroundings<'_>,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let bytes = read(written, around)?;
    let path = quotable(&written.value);
    let Ok(certificates) = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() else {
        return Err(TlsProblem::Torn { path }.into());
    };
    if certificates.is_empty() {
        let found = found(&bytes);
        return Err(TlsProblem::NoCertificate { path, found }.into());
    }
    let is_bad = |der: &CertificateDer<'_>| !matches!(parse_x509_certificate(der), Ok(([], _)));
    if let Some(index) = certificates.iter().position(is_bad) {
        let number = index + 1;
        return Err(TlsProblem::BadCertificate { path, number }.into());
    }
    Ok(certificates)
}

fn read_key(written: &Placed<String>, around: &Surroundings<'_>) -> Result<PrivateKeyDer<'static>, Problem> {
    let bytes = read(written, around)?;
    let path = quotable(&written.value);
    let found = found(&bytes);
    match PrivateKeyDer::from_pem_slice(&bytes) {
        // Locked in the way of old, a key has its usual name and something else in it.
        Ok(_) if found == Found::EncryptedKey => Err(TlsProblem::NoKey { path, found }.into()),
        Ok(key) => Ok(key),
        Err(_) if found == Found::EncryptedKey => Err(TlsProblem::NoKey { path, found }.into()),
        Err(PemError::NoItemsFound) => Err(TlsProblem::NoKey { path, found }.into()),
        Err(_) => Err(TlsProblem::Torn { path }.into()),
    }
}

fn read(written: &Placed<String>, around: &Surroundings<'_>) -> Result<Vec<u8>, Problem> {
    if may_be_pem(&written.value) {
        return Err(TlsProblem::Inline.into());
    }
    let path = quotable(&written.value);
    match around.sources.file(&around.folder.join(&written.value), MOST + 1) {
        Ok(bytes) if bytes.len() as u64 > MOST => Err(TlsProblem::TooLarge { path, most: MOST }.into()),
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            let error = error.kind();
            Err(SecretProblem::Unreadable { path, error }.into())
        }
    }
}

/// What a file seems to hold.
fn found(bytes: &[u8]) -> Found {
    /// How ASN.1 of more than 255 bytes begins: a sequence, its length in two bytes.
    const SEQUENCE: [u8; 2] = [0x30, 0x82];
    let text = String::from_utf8_lossy(bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        Found::EncryptedKey
    } else if text.contains("PRIVATE KEY-----") {
        Found::Key
    } else if text.contains("BEGIN CERTIFICATE-----") {
        Found::Certificate
    } else if bytes.starts_with(&SEQUENCE) {
        Found::Der
    } else {
        Found::Nothing
    }
}

// === validity ===

fn period(certificate: &CertificateDer<'_>) -> Option<Period> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity.clone())
}

/// Notes a certificate that isn't valid now, or soon won't be.
fn note_validity(cert: &Placed<String>, period: &Period, around: &Surroundings<'_>, findings: &mut Findings) {
    let now = around
        .sources
        .now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = |time: i64| Duration::from_secs(time.try_into().unwrap_or_default());
    let (from, until) = (period.not_before, period.not_after);
    let (begins, ends) = (seconds(from.timestamp()), seconds(until.timestamp()));
    let notice = NOTICE.min(ends.saturating_sub(begins) / PARTS);
    let validity = if now < begins {
        Validity::From(from.to_datetime().date().to_string())
    } else if now > ends {
        Validity::Expired(until.to_datetime().date().to_string())
    } else if now + notice > ends {
        Validity::Until(until.to_datetime().date().to_string())
    } else {
        return;
    };
    let path = quotable(&cert.value);
    findings.note(&cert.span, Warning::Certificate { path, validity });
}

// === writing ===

fn pem_of(certificates: &[CertificateDer<'_>]) -> Certificates {
    let parts = certificates
        .iter()
        .map(|certificate| in_pem("CERTIFICATE", certificate));
    Certificates(parts.collect::<String>().into_bytes().into())
}

fn key_in_pem(key: &PrivateKeyDer<'_>) -> String {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    in_pem(label, key.secret_der())
}

/// One part of a file: base64 in lines of 64 characters (RFC 7468, section 2).
fn in_pem(label: &str, der: &[u8]) -> String {
    const BYTES_OF_A_LINE: usize = 48;
    let lines: String = der
        .chunks(BYTES_OF_A_LINE)
        .map(|chunk| STANDARD.encode(chunk) + "\n")
        .collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
