//! `koigate run`: which configuration, and the gateway on it.

use std::path::{Path, PathBuf};

use koigate::assembly::Gateway;
use koigate::logging;
use koigate::server::Stops;
use koigate_config::{Loaded, Report};

use super::args::RunArgs;
use super::error::CommandError;
use super::{load, runtime, whole};

/// Runs the gateway until SIGTERM or SIGINT.
///
/// # Errors
///
/// There is no configuration or it can't be used, an address is in use, or hooks had to be cut at the end.
pub(crate) fn run(args: RunArgs) -> Result<(), CommandError> {
    let path = locate(args.config, Path::exists)?;
    let Loaded { plan, warnings } = load(&path)?;
    let _log = logging::start(plan.log)?;
    warn(&warnings);
    runtime(plan.server.threads)?.block_on(async {
        // Before the first address is bound, so that no signal finds the default action.
        let stops = Stops::signals().map_err(CommandError::System)?;
        whole(Gateway::bind(plan)?.run(stops).await)
    })
}

/// Logs the warnings of a configuration, a line each: who runs a gateway reads its log, in the form that it asked
/// for.
fn warn(warnings: &Report) {
    for finding in warnings.findings() {
        let place = finding.place().map_or_else(
            || warnings.name().to_owned(),
            |place| format!("{}:{}:{}", warnings.name(), place.line, place.column),
        );
        tracing::warn!(
            code = finding.code(),
            place,
            remedy = finding.remedy(),
            "{}",
            finding.message()
        );
    }
}

/// Where a configuration is looked for when none is named, in this order.
const PLACES: [&str; 2] = ["koigate.toml", "/etc/koigate/koigate.toml"];

/// The configuration's path: the one that was named, be it there or not, or the first of [`PLACES`] that is.
fn locate(named: Option<PathBuf>, is_there: impl Fn(&Path) -> bool) -> Result<PathBuf, CommandError> {
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
