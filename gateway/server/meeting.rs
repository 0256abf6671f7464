//! The meeting place: where a running process waits for its successor.
//!
//! A socket in a folder that is its user's alone (0700), named after the configuration: one that runs another file is
//! another gateway.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};

/// The meeting place of the gateway that runs this configuration.
///
/// Its folder is made where it is not there, in the first of `$RUNTIME_DIRECTORY` (which systemd sets),
/// `$XDG_RUNTIME_DIR` and the folder for temporary files.
///
/// # Errors
///
/// The configuration is gone, or the folder can't be made, or is somebody else's too.
pub(super) fn place(configuration: &Path) -> io::Result<PathBuf> {
    let folder = folder(|name| std::env::var_os(name));
    make_private(&folder)?;
    Ok(folder.join(name(&fs::canonicalize(configuration)?)))
}

fn folder(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(folders) = set("RUNTIME_DIRECTORY") {
        // Several are apart by colons.
        let first = folders.as_bytes().split(|byte| *byte == b':').next();
        let first = std::ffi::OsStr::from_bytes(first.unwrap_or_default());
        return Path::new(first).join("upgrade");
    }
    if let Some(folder) = set("XDG_RUNTIME_DIR") {
        return Path::new(&folder).join("koigate");
    }
    std::env::temp_dir().join(format!("koigate-{}", geteuid().as_raw()))
}

/// Short, since the path of a socket is, and the same for every way to write the configuration's path.
fn name(configuration: &Path) -> String {
    let digest = Sha256::digest(configuration.as_os_str().as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    name + ".sock"
}

fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let is_private = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0;
    if is_private {
        return Ok(());
    }
    let words = format!("{} is no folder of this user's alone", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, words))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn which_folder() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(folder(variable), Path::new(expected), "{variables:?}");
        };
        let (service, user) = (
            ("RUNTIME_DIRECTORY", "/run/a:/run/b"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
        );
        check(&[service, user], "/run/a/upgrade");
        check(&[("RUNTIME_DIRECTORY", ""), user], "/run/user/1/koigate");
        let own = format!("koigate-{}", geteuid().as_raw());
        let own = std::env::temp_dir().join(own);
        check(&[("XDG_RUNTIME_DIR", "")], own.to_str().unwrap());
    }

    #[test]
    fn names_differ_with_the_configuration() {
        let (a, b) = (name(Path::new("/etc/a.toml")), name(Path::new("/etc/b.toml")));
        assert_ne!(a, b);
        assert_eq!(a.len(), "0123456789abcdef.sock".len());
        assert_eq!(a, name(Path::new("/etc/a.toml")));
    }

    #[test]
    fn the_folder_is_its_users_alone() {
        let within = std::env::temp_dir().join(format!("koigate-{}-meeting", std::process::id()));
        fs::create_dir_all(&within).unwrap();
        let folder = within.join("folder");
        make_private(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        make_private(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(make_private(&folder).is_err());
        let (elsewhere, link) = (within.join("elsewhere"), within.join("link"));
        make_private(&elsewhere).unwrap();
        symlink(&elsewhere, &link).unwrap();
        assert!(make_private(&link).is_err());
        assert!(make_private(&within.join("missing/folder")).is_err());
        fs::remove_dir_all(&within).unwrap();
    }
}
