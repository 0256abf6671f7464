//! `koigate run`: which configuration, and the gateway on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use koigate::assembly::{Gateway, StartError};
use koigate::server::{Hangups, Stops, Strays, Succession};
use koigate::workers::Workers;
use koigate::{descriptors, journal, logging};

use super::args::RunArgs;
use super::error::CommandError;
use super::{block_on_this_thread, read, whole};

/// Runs the gateway until SIGTERM or SIGINT; SIGHUP reads the configuration again.
///
/// # Errors
///
/// There is no configuration or it can't be used, an address is in use, or hooks had to be cut at the end.
pub(crate) fn run(args: &RunArgs) -> Result<(), CommandError> {
    let path = locate(args.config.named.clone(), Path::exists)?;
    let configuration = read(&path)?;
    // One that can't be used has asked nobody for sockets.
    let succession = succession(args, &path)?;
    let log = logging::start(configuration.plan.log)?;
    journal::warnings(&configuration.warnings);
    descriptors::raise(&configuration.plan.server);
    let workers = Arc::new(Workers::start(configuration.plan.server.threads).map_err(CommandError::System)?);
    block_on_this_thread(async {
        // Before the first address is bound, so that no signal finds the default action.
        let stops = Stops::signals().map_err(CommandError::System)?;
        let hangups = Hangups::signals().map_err(CommandError::System)?;
        tokio::spawn(Strays::signals().map_err(CommandError::System)?.ignore());
        let gateway = Gateway::bind(configuration, Some(succession))?.with_workers(workers);
        whole(gateway.run(stops, hangups, log.level()).await)
    })
}

fn succession(args: &RunArgs, path: &Path) -> Result<Succession, CommandError> {
    let succession = if args.upgrade {
        Succession::upgrade(path)
    } else {
        Succession::by_service_manager(path)
    };
    Ok(succession.map_err(StartError::from)?)
}

/// Where a configuration is looked for when none is named, in this order.
const PLACES: [&str; 2] = ["koigate.toml", "/etc/koigate/koigate.toml"];

/// The configuration's path: the one that was named, be it there or not, or the first of [`PLACES`] that is.
pub(crate) fn locate(
    named: Option<PathBuf>,
    is_there: impl Fn(&Path) -> bool,
) -> Result<PathBuf, CommandError> {
    if let Some(named) = named {
        return Ok(named);
    }
    PLACES
        .iter()
        .map(PathBuf::from)
        .find(|place| is_there(place))
        .ok_or(CommandError::NoConfiguration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_configuration_is() {
        fn check(named: Option<&str>, there: &[&str], found: Option<&str>) {
            let got = locate(named.map(PathBuf::from), |place| {
                there.iter().any(|path| Path::new(path) == place)
            });
            assert_eq!(got.ok(), found.map(PathBuf::from), "{named:?} {there:?}");
        }
        let both = PLACES.as_slice();
        check(Some("a.toml"), both, Some("a.toml"));
        check(Some("missing.toml"), &[], Some("missing.toml"));
        check(None, both, Some("koigate.toml"));
        check(
            None,
            &["/etc/koigate/koigate.toml"],
            Some("/etc/koigate/koigate.toml"),
        );
        check(None, &[], None);
    }
}
