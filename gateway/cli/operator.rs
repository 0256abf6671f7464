//! The admin address of a running gateway, as `reload`, `status` and others ask it: where it is, and with what token.
//!
//! Both stand in the configuration that `run` reads. It may have been broken since, or not be here at all (a gateway
//! in a container); so only its `[admin]` is looked at, and `--admin` and `KOIGATE_ADMIN_TOKEN` go before it.

use std::env::{self, VarError};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use koigate::version::VERSION;
use koigate_config::Process;
use koigate_core::plan::Admin;
use ureq::http::header::{ACCEPT, AUTHORIZATION};
use ureq::http::{HeaderValue, Response, Uri};
use ureq::{Agent, Body};

use super::args::OperatorArgs;
use super::error::CommandError;
use super::run::locate;
use super::unusable;

/// The variable whose token goes before the configuration's.
const TOKEN: &str = "KOIGATE_ADMIN_TOKEN";
/// How long connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(3);
/// How long everything may take: a reload reads files, and waits for one that is running.
const WHOLE_TIME: Duration = Duration::from_secs(30);

/// The admin address of a running gateway, and what opens it.
pub(crate) struct Operator {
    agent: Agent,
    address: Address,
    /// What is tried, in this order. A gateway that has not yet read a new token knows
    /// the one before, and while both are valid both stand in the file.
    tokens: Vec<HeaderValue>,
}

/// Where a gateway is asked: `http://host:port`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

/// What the gateway says.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status: every one but 401.
    pub(crate) status: u16,
    /// The body.
    pub(crate) text: String,
}

/// Why a gateway can't be asked, or gives no usable answer. No token is in any of them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// The port isn't known.
    #[error("{} lets the system choose the admin port: name the address with --admin", .path.display())]
    AnyPort {
        /// The configuration.
        path: PathBuf,
    },
    /// The token can't be a header's value.
    #[error("{TOKEN} can't be sent as a token: it must be one line without control characters")]
    Token,
    /// Nobody listens, or nobody answers.
    #[error("no gateway answers at {address}")]
    Silent {
        /// What was tried.
        address: String,
        /// What came instead.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// There was no token to send.
    #[error("{address} wants a token: name the configuration that has it with --config, or set {TOKEN}")]
    NoToken {
        /// What was tried.
        address: String,
    },
    /// No token that was sent is valid.
    #[error("{address} takes no token that was sent: set {TOKEN} to one that the running gateway knows")]
    WrongToken {
        /// What was tried.
        address: String,
    },
    /// Something else than what was asked for.
    #[error("unexpected answer of {address}: {status}{}", said(.text))]
    Unexpected {
        /// What was asked.
        address: String,
        /// The status.
        status: u16,
        /// The body.
        text: String,
    },
}

// === impl Operator ===

impl Operator {
    /// Finds the gateway that these arguments mean.
    ///
    /// # Errors
    ///
    /// There is no configuration, or its `[admin]` can't be used: what is wrong has been printed then.
    pub(crate) fn find(args: OperatorArgs) -> Result<Self, CommandError> {
        let own = own_token()?;
        let (address, configured) = match (args.admin, args.config.named) {
            // A token is for the gateway of its own file: an address that was typed gets none from a file that
            // just lies here.
            (Some(address), None) => (address, Vec::new()),
            (Some(address), Some(path)) => (address, tokens(&configured(&path)?)?),
            (None, named) => {
                let path = locate(named, Path::exists)?;
                let admin = configured(&path)?;
                (Address::of(admin.listen, &path)?, tokens(&admin)?)
            }
        };
        Ok(Self {
            agent: agent(),
            address,
            tokens: own.map_or(configured, |own| vec![own]),
        })
    }

    /// `GET` this path.
    ///
    /// # Errors
    ///
    /// Nobody answers, or the token is wrong.
    pub(crate) fn get(&self, path: &str) -> Result<Reply, OperatorError> {
        self.ask(|authorization| {
            let request = self
                .agent
                .get(self.url(path))
                .header(ACCEPT, "application/json, text/plain");
            match authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization).call(),
                None => request.call(),
            }
        })
    }

    /// `POST` to this path, and have the answer in words.
    ///
    /// # Errors
    ///
    /// Nobody answers, or the token is wrong.
    pub(crate) fn post(&self, path: &str) -> Result<Reply, OperatorError> {
        self.ask(|authorization| {
            let request = self.agent.post(self.url(path)).header(ACCEPT, "text/plain");
            match authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization).send_empty(),
                None => request.send_empty(),
            }
        })
    }

    /// A reply to what was asked that makes no sense.
    pub(crate) fn unexpected(&self, path: &str, reply: Reply) -> OperatorError {
        OperatorError::Unexpected {
            address: self.url(path),
            status: reply.status,
            text: reply.text,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.0)
    }

    /// Asks with one token after another while they are refused: a refused request has changed nothing.
    fn ask(
        &self,
        send: impl Fn(Option<&HeaderValue>) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Reply, OperatorError> {
        let mut tokens = self.tokens.iter();
        let mut token = tokens.next();
        loop {
            let reply = send(token)
                .and_then(Reply::read)
                .map_err(|error| self.silent(error))?;
            if reply.status != 401 {
                return Ok(reply);
            }
            token = tokens.next();
            if token.is_none() {
                return Err(self.unauthorized());
            }
        }
    }

    fn unauthorized(&self) -> OperatorError {
        let address = self.address.0.clone();
        if self.tokens.is_empty() {
            OperatorError::NoToken { address }
        } else {
            OperatorError::WrongToken { address }
        }
    }

    fn silent(&self, error: ureq::Error) -> OperatorError {
        OperatorError::Silent {
            address: self.address.0.clone(),
            source: match error {
                // Without the library's word in front.
                ureq::Error::Io(error) => error.into(),
                other => other.into(),
            },
        }
    }
}

// === impl Address ===

impl Address {
    /// Where a gateway that listens there is reached from this machine.
    fn of(listen: SocketAddr, path: &Path) -> Result<Self, OperatorError> {
        if listen.port() == 0 {
            let path = path.to_owned();
            return Err(OperatorError::AnyPort { path });
        }
        let host = match listen.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        Ok(Self(format!("http://{}", SocketAddr::new(host, listen.port()))))
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write it as http://host:port";
        let uri: Uri = text.parse().map_err(|_| FORM)?;
        let is_bare =
            uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|_| is_bare).ok_or(FORM)?;
        let spelled = match authority.port_u16() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        // Otherwise there is a user, or a port that is none.
        if authority.as_str() != spelled || authority.port_u16() == Some(0) {
            return Err(FORM);
        }
        Ok(Self(format!("http://{authority}")))
    }
}

// === impl Reply ===

impl Reply {
    fn read(mut response: Response<Body>) -> Result<Self, ureq::Error> {
        Ok(Self {
            status: response.status().as_u16(),
            text: response.body_mut().read_to_string()?,
        })
    }
}

// === helpers ===

/// A text that can't command the terminal: whatever answers there may not be a gateway.
pub(crate) fn visible(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

fn said(text: &str) -> String {
    match visible(text).trim().lines().next() {
        Some(line) => format!(" {}", line.chars().take(200).collect::<String>()),
        None => String::new(),
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        // An operator's token is for the gateway alone, whatever the environment says of proxies.
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIME))
        .timeout_global(Some(WHOLE_TIME))
        .user_agent(format!("koigate/{VERSION}"))
        .build()
        .into()
}

fn configured(path: &Path) -> Result<Admin, CommandError> {
    koigate_config::admin(path, &Process).map_err(|report| unusable(path, &report))
}

fn tokens(admin: &Admin) -> Result<Vec<HeaderValue>, OperatorError> {
    let tokens = admin.auth.iter().flat_map(|auth| &auth.tokens);
    tokens.map(|token| bearer(token.expose())).collect()
}

/// The token of the environment; an empty one is none.
fn own_token() -> Result<Option<HeaderValue>, OperatorError> {
    match env::var(TOKEN) {
        Ok(token) if !token.is_empty() => bearer(&token).map(Some),
        Ok(_) | Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(OperatorError::Token),
    }
}

fn bearer(token: &str) -> Result<HeaderValue, OperatorError> {
    let mut value =
        HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).map_err(|_| OperatorError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_typed() {
        fn check(text: &str, read: Option<&str>) {
            let address = text.parse::<Address>().map(|address| address.0);
            assert_eq!(address.ok().as_deref(), read, "{text}");
        }
        check("http://127.0.0.1:8601", Some("http://127.0.0.1:8601"));
        check("http://127.0.0.1:8601/", Some("http://127.0.0.1:8601"));
        check("http://[::1]:8601", Some("http://[::1]:8601"));
        check("HTTP://gate.example", Some("http://gate.example"));
        for wrong in [
            "",
            "127.0.0.1:8601",
            "127.0.0.1",
            "https://127.0.0.1:8601",
            "http://127.0.0.1:8601/status",
            "http://127.0.0.1:8601/?a",
            "http://user:word@127.0.0.1:8601",
            "http://127.0.0.1:0",
            "http://127.0.0.1:86010",
            "http://",
            "http:// a",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn addresses_that_are_configured() {
        fn check(listen: &str, address: Option<&str>) {
            let got = Address::of(listen.parse().unwrap(), Path::new("koigate.toml"));
            assert_eq!(got.ok().map(|address| address.0).as_deref(), address, "{listen}");
        }
        check("127.0.0.1:8601", Some("http://127.0.0.1:8601"));
        check("0.0.0.0:8601", Some("http://127.0.0.1:8601"));
        check("[::]:8601", Some("http://[::1]:8601"));
        check("192.0.2.1:1", Some("http://192.0.2.1:1"));
        check("127.0.0.1:0", None);
    }

    #[test]
    fn what_is_shown_commands_no_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\r\n倍率"), "a\u{fffd}[2Jb\u{fffd}\n倍率");
        assert_eq!(said(""), "");
        assert_eq!(said("\none\ntwo"), " one");
    }
}
