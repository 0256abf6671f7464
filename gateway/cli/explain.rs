//! `koigate explain`: one document through a configuration's chain, by the same dispatch as the gateway's, and what
//! became of it.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use koigate::dispatch::dispatch;
use koigate::ids::Ids;
use koigate::live::{Configuration, Ground, HookCaller, Running};
use koigate::metrics::Metrics;
use koigate::outbound::{Connector, Trust};
use koigate::traces::{Answered, Finished, Trace};
use koigate_core::answer::Answer;
use koigate_core::hook::{Hook, HookName, KNOWN};
use koigate_core::multipart::Form;
use koigate_core::outcome::HookVerdict;
use koigate_core::tally::{Detail, Tally};
use koigate_core::view::Base;
use tokio::time::Instant;

use super::args::ExplainArgs;
use super::demo::{self, deed};
use super::error::CommandError;
use super::run::locate;
use super::{print, read, runtime, trace};

/// Exit status where the bot would not go on.
const REFUSED: u8 = 3;
/// The largest document that is read: as much as any hook may have.
const MOST: u64 = 1 << 30;

/// Sends a document through the chain and prints what each backend was sent, said and changed, and the answer.
/// The exit status says whether the bot would go on.
///
/// # Errors
///
/// The configuration or the document can't be used, the configuration has no chain for the hook, or the pictures
/// can't be saved.
pub(crate) fn explain(args: ExplainArgs) -> Result<ExitCode, CommandError> {
    let path = locate(args.config, Path::exists)?;
    let configuration = read(&path)?;
    print(&configuration.warnings);
    let (name, document) = question(&args.hook, args.document.as_deref(), &configuration)?;
    let threads = configuration.plan.server.threads;
    let (finished, answer) = runtime(threads)?.block_on(ask(configuration, name, document))?;
    let mut out = anstream::stdout();
    // Nobody but the one who asked sees it, so nothing is hidden.
    let trace = Trace::of(&finished, &[]);
    if args.json {
        writeln!(out, "{:#}", serde_json::json!(trace))?;
    } else {
        trace::write(&mut out, &trace)?;
        told(&mut out, &finished, &answer)?;
    }
    if let Some(folder) = args.out {
        save(&folder, &answer)?;
    }
    Ok(match finished.outcome.verdict() {
        HookVerdict::Continue => ExitCode::SUCCESS,
        HookVerdict::Reject | HookVerdict::Error => ExitCode::from(REFUSED),
    })
}

/// The hook's name and its document: the one that was named, or a sample as koipy sends it.
fn question(
    hook: &str,
    document: Option<&Path>,
    configuration: &Configuration,
) -> Result<(HookName, Bytes), CommandError> {
    let chains = &configuration.plan.chains;
    let configured = HookName::new(hook).filter(|name| chains.contains_key(name));
    let name = configured.ok_or_else(|| CommandError::NoChain {
        hook: hook.to_owned(),
        chains: chains
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    let document = match document {
        Some(path) => load(path)?,
        None => demo::sample(hook).ok_or_else(|| CommandError::NoSample {
            hook: hook.to_owned(),
            known: KNOWN.join(", "),
        })?,
    };
    Ok((name, document))
}

/// Reads the document; `-` is standard input.
fn load(path: &Path) -> Result<Bytes, CommandError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(MOST).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes))
    };
    read.map_err(|source| CommandError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes.into())
}

async fn ask(
    configuration: Configuration,
    name: HookName,
    document: Bytes,
) -> Result<(Finished, Answer), CommandError> {
    let ground = Ground {
        connector: Connector::new(Trust::System).map_err(koigate::assembly::StartError::from)?,
        metrics: Arc::new(Metrics::new().map_err(koigate::assembly::StartError::from)?),
    };
    let running = Arc::new(Running::new(configuration.plan, None, &ground));
    let ids = Ids::new(None);
    let found = running
        .hook(&name)
        .and_then(|hook| Some((hook.clone(), hook.chain.clone()?)));
    let Some((hook, chain)) = found else {
        // The name was looked up among the chains of this very plan.
        return Err(CommandError::NoChain {
            hook: name.to_string(),
            chains: String::new(),
        });
    };
    let begun = Instant::now();
    let base = Arc::new(Base::new(document.clone()));
    let tally = Tally::new(running.plan.clone(), chain.clone(), Hook { name, base });
    let plan = running.plan.clone();
    let caller = Arc::new(HookCaller::new(running, hook, ids.clone()));
    let deadline = begun + chain.deadline;
    let detailed = tally.with_detail(Detail::Listed);
    let (outcome, answer) = dispatch(&caller, detailed, deadline, Form::Single).await;
    let finished = Finished {
        id: ids.request,
        at: SystemTime::now(),
        took: begun.elapsed(),
        plan,
        document,
        outcome,
        answered: Answered::of(&answer),
    };
    Ok((finished, answer))
}

/// What the bot would do with the answer.
fn told(out: &mut impl Write, finished: &Finished, answer: &Answer) -> io::Result<()> {
    for (place, line) in deed(&finished.document, answer).to_string().lines().enumerate() {
        let speaker = if place == 0 { "the bot" } else { "" };
        writeln!(out, "{speaker:<8} {line}")?;
    }
    Ok(())
}

/// Saves every picture of the answer as a file of its own.
fn save(folder: &Path, answer: &Answer) -> Result<(), CommandError> {
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |source| CommandError::Write { path, source }
    };
    DirBuilder::new()
        .recursive(true)
        .create(folder)
        .map_err(unwritten(folder))?;
    for (place, picture) in (1..).zip(demo::pictures(answer)) {
        let path: PathBuf = folder.join(format!("picture-{place}.{}", extension(&picture)));
        fs::write(&path, &picture).map_err(unwritten(&path))?;
        anstream::eprintln!("{}", path.display());
    }
    Ok(())
}

/// By the bytes, as everywhere.
fn extension(picture: &[u8]) -> &'static str {
    match image::guess_format(picture) {
        Ok(image::ImageFormat::Jpeg) => "jpg",
        Ok(image::ImageFormat::Gif) => "gif",
        Ok(image::ImageFormat::WebP) => "webp",
        _ => "png",
    }
}
