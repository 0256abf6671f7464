//! What the demo leaves on the disk, and the gateway on it: a folder with a configuration like anybody's.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use koigate::assembly::{Gateway, StartError};
use koigate::live::Configuration;
use koigate::logging::{self, Writer};

use super::services::Service;
use crate::cli::error::CommandError;
use crate::cli::unusable;

/// A folder of the demo's own.
pub(crate) struct Site {
    folder: PathBuf,
}

/// Which ports the gateway tries to get.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    /// Those of the template, so that what is pasted from the screen is what the documentation says; any free
    /// ones where they are in use.
    Usual,
    /// Any free ones.
    Free,
}

/// Where the gateway listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    /// For the bot.
    pub(crate) hooks: SocketAddr,
    /// For the operator.
    pub(crate) admin: SocketAddr,
}

/// The configuration, with the usual addresses of everything.
const TEMPLATE: &str = include_str!("koigate.toml");
const USUAL: Sides = Sides {
    hooks: local(8600),
    admin: local(8601),
};
const USUAL_SERVICES: [&str; 3] = ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"];

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

// === impl Site ===

impl Site {
    /// A new folder among the system's temporary ones, for nobody else to read.
    ///
    /// # Errors
    ///
    /// It can't be made.
    pub(crate) fn new() -> Result<Self, CommandError> {
        let folder = std::env::temp_dir().join(format!("koigate-demo-{:08x}", fastrand::u32(..)));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(unwritten(&folder))?;
        Ok(Self { folder })
    }

    /// Where the configuration is.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("koigate.toml")
    }

    /// Keeps something under this name, and says where.
    ///
    /// # Errors
    ///
    /// It can't be written.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CommandError> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(unwritten(&path))?;
        Ok(path)
    }

    /// Writes a configuration for these services, reads it, binds its addresses and starts its log, all as `run`
    /// does.
    ///
    /// # Errors
    ///
    /// The file can't be written, or there is no free port.
    pub(crate) fn gateway(
        &self,
        services: &[Service],
        ports: Ports,
    ) -> Result<(Gateway, Sides, Writer), CommandError> {
        match ports {
            Ports::Usual => match self.bind(services, USUAL) {
                Err(CommandError::Start(StartError::Bind(_))) => self.bind(services, free()?),
                settled => settled,
            },
            Ports::Free => self.bind(services, free()?),
        }
    }

    fn bind(&self, services: &[Service], sides: Sides) -> Result<(Gateway, Sides, Writer), CommandError> {
        let path = self.keep("koigate.toml", fill(services, sides).as_bytes())?;
        // It is the demo's own file: what the environment says is meant for others.
        let read = Configuration::read_as_written(&path);
        let configuration = read.map_err(|report| unusable(&path, &report))?;
        let log = configuration.plan.log;
        let gateway = Gateway::bind(configuration, None)?;
        let log = logging::start(log)?;
        Ok((gateway, sides, log))
    }
}

/// The template with these addresses in place of the usual ones.
fn fill(services: &[Service], sides: Sides) -> String {
    let mut text = TEMPLATE
        .replace(&USUAL.hooks.to_string(), &sides.hooks.to_string())
        .replace(&USUAL.admin.to_string(), &sides.admin.to_string());
    for (usual, service) in USUAL_SERVICES.iter().zip(services) {
        text = text.replace(usual, &service.address.to_string());
    }
    text
}

/// Two ports that nobody uses now. Somebody may before the gateway does, which is then an error like any port
/// in use.
fn free() -> Result<Sides, CommandError> {
    let probe = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let sides = || {
        // Both are held until both are known, so that they differ.
        let (hooks, admin) = (probe()?, probe()?);
        Ok(Sides {
            hooks: hooks.local_addr()?,
            admin: admin.local_addr()?,
        })
    };
    sides().map_err(CommandError::System)
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> CommandError {
    let path = path.to_owned();
    |source| CommandError::Write { path, source }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use koigate_config::Process;

    use super::*;
    use crate::cli::mock::behaviour::Behaviour;

    #[test]
    fn the_template_is_a_configuration_without_a_flaw() {
        let loaded = koigate_config::parse(TEMPLATE, "koigate.toml", &Process).unwrap();
        assert!(
            loaded.warnings.is_empty(),
            "{}",
            loaded.warnings.render(koigate_config::Color::Never)
        );
        assert_eq!(loaded.plan.server.listen, [USUAL.hooks.into()]);
        assert_eq!(loaded.plan.admin.listen, USUAL.admin);
        let timeouts: Vec<Duration> = loaded
            .plan
            .backends
            .iter()
            .map(|backend| backend.timeout)
            .collect();
        assert_eq!(timeouts, [2, 5, 5].map(Duration::from_secs));
    }

    #[test]
    fn every_address_is_filled_in() {
        let service = |name, port| Service {
            name,
            behaviour: Behaviour::Continue,
            address: local(port),
        };
        let services = [
            service("blacklist", 9001),
            service("columns", 9002),
            service("poster", 9003),
        ];
        let text = fill(
            &services,
            Sides {
                hooks: local(9004),
                admin: local(9005),
            },
        );
        for port in 9001..=9005 {
            assert!(text.contains(&format!("127.0.0.1:{port}")), "{port}: {text}");
        }
        for usual in ["8600", "8601", "8081", "8082", "8083"] {
            assert!(!text.contains(usual), "{usual}: {text}");
        }
    }
}
