//! Problems in words: the only place that knows how they are called, what to do about them, and how they are laid
//! out. Messages are in lower case and without a full stop; remedies are sentences that tell what to write.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::problem::{
    AuthProblem, ChainProblem, HeaderProblem, KeyProblem, ListenProblem, Problem, SecretProblem, Severity,
    UrlProblem, ValueProblem,
};
use crate::report::{Color, Finding, Origin, Report};
use crate::units::{duration, size};

mod allow;
mod conditions;
mod file;
mod guards;
mod health;
mod overrides;
mod server;
mod sign;
mod tls;
mod warnings;

/// A problem in words.
pub(crate) struct Words {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// Lays a report out: per finding the message, the place, the line with a caret, and the remedy.
pub(crate) fn report(report: &Report, color: Color) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let findings = report.findings().iter();
    let rendered: Vec<String> = findings
        .map(|finding| layout(finding, report.name(), &renderer))
        .collect();
    rendered.join("\n\n")
}

fn layout(finding: &Finding, name: &str, renderer: &Renderer) -> String {
    let words = words(finding.problem());
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(plain(&words.message)).id(finding.code());
    let group = match finding.origin() {
        Origin::Line(place) => {
            let snippet = Snippet::source(place.excerpt.as_str())
                .path(name)
                .line_start(place.line)
                .annotation(AnnotationKind::Primary.span(place.caret.clone()));
            title.element(snippet)
        }
        Origin::File => Group::with_title(title).element(annotate_snippets::Origin::path(name)),
        Origin::Variable { name, value } => {
            let path = annotate_snippets::Origin::path(format!("environment variable {name}"));
            let group = Group::with_title(title).element(path);
            match value {
                None => group,
                Some(value) => group.element(Level::NOTE.message(plain(&format!("its value is `{value}`")))),
            }
        }
    };
    renderer.render(&[group.element(Level::HELP.message(plain(&words.remedy)))])
}

/// Text of the file in a message can't bring escape codes into a terminal.
fn plain(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(text)
}

/// The words for a problem.
pub(crate) fn words(problem: &Problem) -> Words {
    let (message, remedy) = match problem {
        Problem::File(problem) => file::problem(problem),
        Problem::Key(problem) => key(problem),
        Problem::Value(problem) => value(problem),
        Problem::Listen(problem) => listen(problem),
        Problem::Url(problem) => url(problem),
        Problem::Header(problem) => header(problem),
        Problem::Secret(problem) => secret(problem),
        Problem::Chain(problem) => chain(problem),
        Problem::Auth(problem) => auth(problem),
        Problem::Allow(problem) => allow::problem(problem),
        Problem::Condition(problem) => conditions::problem(problem),
        Problem::Sign(problem) => sign::problem(problem),
        Problem::Health(problem) => health::problem(problem),
        Problem::Tls(problem) => tls::problem(problem),
        Problem::Guard(problem) => guards::problem(problem),
        Problem::Override(problem) => overrides::problem(problem),
        Problem::Warning(warning) => warnings::warning(warning),
    };
    Words { message, remedy }
}

fn key(problem: &KeyProblem) -> (String, String) {
    match problem {
        KeyProblem::Unknown {
            key,
            table,
            nearest,
            elsewhere,
            known,
        } => (
            match table.as_str() {
                "" => format!("unknown key `{key}`"),
                table => format!("unknown key `{key}` in `{table}`"),
            },
            match (nearest, &elsewhere[..]) {
                (Some(nearest), _) => format!("Write `{nearest}`."),
                (None, []) => format!("Remove it. Known here: {}.", list(known, "`")),
                (None, tables) => format!("Write it below {}.", list(tables, "`")),
            },
        ),
        KeyProblem::WrongType { key, expected, found } => (
            format!("`{key}` takes {expected}, not {} {found}", article(found)),
            match (expected.as_str(), *found) {
                ("a boolean", _) => "Write `true` or `false`, without quotes.".into(),
                ("a whole number", _) => "Write digits alone, without quotes.".into(),
                ("an array", "string") => "Put brackets around it: `[\"...\"]`.".into(),
                ("a table", "array") => "Write its name in single brackets: `[table]`.".into(),
                _ => format!("Write {expected}."),
            },
        ),
        KeyProblem::UnknownWord { key, nearest, known } => (
            format!("`{key}` doesn't take this word"),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => format!("Write one of {}.", list(known, "\"")),
            },
        ),
        KeyProblem::Missing { key, table } => (
            format!("`{table}` has no `{key}`"),
            match *key {
                "url" => "Say where it is: `url = \"http://127.0.0.1:8081/{hook}\"`.".into(),
                "token" => "Say what the caller has to know: `token = { env = \"NAME\" }`.".into(),
                "cert" => "Say which certificate callers see: `cert = \"cert.pem\"`.".into(),
                "key" => "Say where the certificate's private key is: `key = \"key.pem\"`.".into(),
                "at" => "Say where it looks: `at = \"/message/chat/id\"`.".into(),
                "secret" => "Say what calls are signed with: `secret = { env = \"NAME\" }`.".into(),
                _ => "Say who is asked: `chain = [\"name\"]`; or remove the table.".into(),
            },
        ),
        KeyProblem::BadName { name } => (
            format!("`{name}` can't be a name"),
            "Use 1 to 40 of `A-Z a-z 0-9 _ -`.".into(),
        ),
    }
}

fn value(problem: &ValueProblem) -> (String, String) {
    match problem {
        ValueProblem::NotADuration { nearest } => (
            "this is not a duration".into(),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => "Write whole numbers with h, m, s or ms: \"500ms\", \"5s\", \"1m30s\".".into(),
            },
        ),
        ValueProblem::DurationBounds { least, most } => (
            "this duration is out of bounds".into(),
            format!("Write {} to {}.", duration(*least), duration(*most)),
        ),
        ValueProblem::NotASize { nearest } => (
            "this is not a size".into(),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => "Write a whole number with B, KiB, MiB or GiB: \"32MiB\".".into(),
            },
        ),
        ValueProblem::SizeBounds { least, most } => (
            "this size is out of bounds".into(),
            format!("Write {} to {}.", size(*least), size(*most)),
        ),
        ValueProblem::NumberBounds { least, most } => (
            "this number is out of bounds".into(),
            format!("Write {least} to {most}."),
        ),
        ValueProblem::NotAPath => (
            "this is not a prefix of a path".into(),
            "Begin it with `/`, and make its segments of letters, digits and `-._~`: \"/koipy\".".into(),
        ),
        ValueProblem::NotAStatus => (
            "this is not a status that a reply can have".into(),
            "Write a number of 201 to 999, or a class of \"3xx\" to \"9xx\".".into(),
        ),
        ValueProblem::StatusAgrees => (
            "with 200 and 204 a backend agrees".into(),
            "Remove it: a status that agrees can't be a failure.".into(),
        ),
        ValueProblem::EmptyMessage => (
            "this message is empty".into(),
            "Write what the user shall read, or remove it.".into(),
        ),
        ValueProblem::BodyUnbuffered {
            max_body,
            max_buffered,
        } => server::body_unbuffered(*max_body, *max_buffered),
        ValueProblem::UnusedMessage => (
            "nobody reads this message: a failure of this backend goes on".into(),
            "Add `on_failure = \"reject\"`, or remove the message.".into(),
        ),
    }
}

fn listen(problem: &ListenProblem) -> (String, String) {
    match problem {
        ListenProblem::NotAnAddress { nearest } => (
            "this is not an address to listen on".into(),
            match nearest {
                Some(nearest) => {
                    format!("Write \"{nearest}\"; 0.0.0.0 or [::] is every address of this machine.")
                }
                None => "Write an IP address and a port: \"127.0.0.1:8600\".".into(),
            },
        ),
        ListenProblem::NoAddress => (
            "there is no address to listen on".into(),
            "Write one, or remove the key to listen on 127.0.0.1:8600.".into(),
        ),
        ListenProblem::Taken { by } => (
            format!("this address is taken by `listen` at {by}"),
            "Give one of the two another.".into(),
        ),
        ListenProblem::NotASocket { nearest } => (
            "this is not the path of a socket".into(),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => "Write an absolute path: \"unix:/run/koigate.sock\".".into(),
            },
        ),
        ListenProblem::LongSocket { most } => (
            format!("the system takes at most {most} bytes for a socket's path"),
            "Write a shorter one: \"unix:/run/koigate.sock\".".into(),
        ),
    }
}

fn url(problem: &UrlProblem) -> (String, String) {
    const EXAMPLE: &str =
        "Write an absolute URL, http:// or https:// first: \"http://127.0.0.1:8081/{hook}\".";
    match problem {
        UrlProblem::NotHttp => (
            "this is not an http or https URL with a host".into(),
            EXAMPLE.into(),
        ),
        UrlProblem::Malformed { error } => (format!("this is not a URL: {error}"), EXAMPLE.into()),
        UrlProblem::Character => (
            "white space, control characters and `\\` can't stand in a URL".into(),
            "Encode them (a space is %20), or remove them.".into(),
        ),
        UrlProblem::Fragment => (
            "a fragment is never sent".into(),
            "Remove it with its `#`; a `#` that belongs to the path is %23.".into(),
        ),
        UrlProblem::Placeholder => (
            "braces in a URL can only be `{hook}`".into(),
            "Write `{hook}` where the hook's name shall stand; other braces are %7B and %7D.".into(),
        ),
        UrlProblem::PlaceholderPlace => (
            "`{hook}` can only stand in the path or the query".into(),
            "Move it there; for another host per hook write another backend.".into(),
        ),
        UrlProblem::PortZero => (
            "nothing can be reached at port 0".into(),
            "Write the port that the service listens on.".into(),
        ),
        UrlProblem::OwnAddress { listen } => (
            format!("this is the gateway itself, which listens on {listen}: the hook would come round"),
            "Write the address of the service.".into(),
        ),
        UrlProblem::TwoCredentials => (
            "there are a user in the URL and an `Authorization` header, and only one can be sent".into(),
            "Remove one of the two.".into(),
        ),
        UrlProblem::NoReplica => (
            "there is nobody to call".into(),
            "Write a URL: `url = \"http://127.0.0.1:8081/{hook}\"`.".into(),
        ),
        UrlProblem::ReplicaTwice => (
            "this replica is there already".into(),
            "Write the URL of each replica once.".into(),
        ),
        UrlProblem::ReplicaUsers => (
            "this URL's user and password are not those of the first replica".into(),
            "Write the same into each URL, or into none: all replicas are sent the same headers.".into(),
        ),
    }
}

fn header(problem: &HeaderProblem) -> (String, String) {
    match problem {
        HeaderProblem::BadName => (
            "this is not a header's name".into(),
            "Use letters, digits and `-`, without spaces or a colon.".into(),
        ),
        HeaderProblem::Owned { name, reason } => {
            (format!("`{name}` can't be set: {reason}"), "Remove it.".into())
        }
        HeaderProblem::BadValue { name } => (
            format!("the value of `{name}` can't stand in a header"),
            "Make it one line, without control characters, and without white space at its ends.".into(),
        ),
        HeaderProblem::LongValue { name, most } => (
            format!("the value of `{name}` is longer than {most} bytes"),
            "Shorten it: servers refuse headers of that length.".into(),
        ),
        HeaderProblem::Twice { name } => (
            format!("`{name}` is here twice: in headers' names case doesn't count"),
            "Remove one of the two.".into(),
        ),
    }
}

fn secret(problem: &SecretProblem) -> (String, String) {
    match problem {
        SecretProblem::NotOneSource => (
            "a secret is in one place".into(),
            "Write either `{ env = \"NAME\" }` or `{ file = \"path\" }`.".into(),
        ),
        SecretProblem::BadVariableName => (
            "this can't name an environment variable".into(),
            "Use letters, digits and `_`, and no digit first; the secret itself is written without `env`.".into(),
        ),
        SecretProblem::Unset { name } => (
            format!("the environment variable `{name}` is not set"),
            format!("Set `{name}` for the process that runs Koigate."),
        ),
        SecretProblem::Unreadable { path, error } => (
            format!("the file `{path}` can't be read: {error}"),
            "Name a file that exists and that this user may read; a relative path begins at the configuration's \
             folder."
                .into(),
        ),
        SecretProblem::NotText => ("this secret is not UTF-8".into(), "Write it as UTF-8.".into()),
        SecretProblem::Empty => {
            ("this secret is empty".into(), "Put the secret there, or remove the key that wants it.".into())
        }
        SecretProblem::TooLarge { most } => (
            format!("this secret is larger than {most} bytes"),
            "Name the file that holds the secret: this is another.".into(),
        ),
    }
}

fn chain(problem: &ChainProblem) -> (String, String) {
    match problem {
        ChainProblem::Empty => (
            "this chain asks nobody".into(),
            "Name a backend, or remove the hook: a hook without a chain is answered 204.".into(),
        ),
        ChainProblem::EmptyStage => (
            "this stage asks nobody".into(),
            "Name a backend, or remove the stage.".into(),
        ),
        ChainProblem::UnknownBackend { name, nearest } => (
            format!("there is no backend `{name}`"),
            match nearest {
                Some(nearest) => format!("Write \"{nearest}\"."),
                None => format!("Add `[backends.{name}]`, or remove the name."),
            },
        ),
        ChainProblem::Twice { name } => (
            format!("`{name}` would be asked twice"),
            "Name it once: callbacks have effects, such as points that are deducted.".into(),
        ),
        ChainProblem::ShadowVotes { name, hook } => (
            format!("`{name}` is a shadow and has a vote in the chain of `{hook}`"),
            "Name it in one of the two, or add a backend with another name and the same `url`.".into(),
        ),
        ChainProblem::ObserverAsked { name, hook } => (
            format!("`{name}` is an observer, and `{hook}` asks it"),
            "Name it in one of the two, or add a backend with another name and the same `url`.".into(),
        ),
    }
}

fn auth(problem: &AuthProblem) -> (String, String) {
    match problem {
        AuthProblem::NoToken => (
            "with no token nobody can come in".into(),
            "Write one, or remove `auth`.".into(),
        ),
        AuthProblem::EmptyToken => (
            "this token is empty".into(),
            "Write one, such as `openssl rand -hex 32` prints, or remove `auth`.".into(),
        ),
        AuthProblem::Character => (
            "white space and control characters can't stand in a token".into(),
            "Write a token of letters, digits and marks, such as `openssl rand -hex 32` prints.".into(),
        ),
        AuthProblem::AdminExposed { listen } => (
            format!("other machines reach {listen}, and nobody is asked who they are"),
            "Add `auth = { token = { env = \"NAME\" } }` below it, or listen on 127.0.0.1.".into(),
        ),
    }
}

/// Names one after the other, each between marks.
fn list(names: &[String], mark: &str) -> String {
    let marked: Vec<String> = names.iter().map(|name| format!("{mark}{name}{mark}")).collect();
    marked.join(", ")
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}
