//! `koigate explain`: one document through a configuration's chain, by the same dispatch as the gateway's, and what
//! became of it; and what the shadows beside the chain would have done.

mod beside;
mod witness;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::join;
use koigate::dispatch::{Done, dispatch};
use koigate::ids::Ids;
use koigate::live::{Configuration, Ground, HookCaller, LiveHook, Running};
use koigate::metrics::Metrics;
use koigate::outbound::Connector;
use koigate::traces::{Answered, Finished, Shadow, Trace};
use koigate_core::answer::Answer;
use koigate_core::hook::{Hook, HookName, KNOWN};
use koigate_core::multipart::Form;
use koigate_core::outcome::HookVerdict;
use koigate_core::plan::{BackendId, Chain};
use koigate_core::tally::{Detail, Tally};
use koigate_core::view::Base;
use tokio::time::Instant;

use self::beside::Found;
use self::witness::Witness;
use super::args::ExplainArgs;
use super::demo::{self, deed};
use super::error::CommandError;
use super::run::locate;
use super::{block_on, print, read, say, trace};

/// Exit status where the bot would not go on.
const REFUSED: u8 = 3;

/// A hook that has been run, and what left on the way.
struct Run {
    finished: Finished,
    answer: Answer,
    /// What each backend that was asked was sent.
    sent: BTreeMap<BackendId, Bytes>,
    /// What the shadows would have done.
    beside: Vec<Found>,
}

/// Sends a document through the chain and prints what each backend was sent, said and changed, and the answer.
/// The exit status says whether the bot would go on.
///
/// # Errors
///
/// The configuration or the document can't be used, the configuration has no chain for the hook, or what was asked for
/// can't be saved.
pub(crate) fn explain(args: ExplainArgs) -> Result<ExitCode, CommandError> {
    let path = locate(args.config.named, Path::exists)?;
    let configuration = read(&path)?;
    print(&configuration.warnings);
    let (name, document) = question(&args.hook, args.document.as_deref(), &configuration)?;
    let threads = configuration.plan.server.threads;
    let run = block_on(threads, ask(configuration, name, document))?;
    let mut out = anstream::stdout();
    let trace = run.trace();
    if args.json {
        writeln!(out, "{:#}", serde_json::json!(trace))?;
    } else {
        trace::write(&mut out, &trace)?;
        told(&mut out, &run)?;
    }
    if let Some(folder) = args.out {
        run.save(&folder)?;
    }
    Ok(match run.finished.outcome.verdict() {
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
        Some(path) => load(path, configuration.plan.server.max_body)?,
        None => demo::sample(hook).ok_or_else(|| CommandError::NoSample {
            hook: hook.to_owned(),
            known: KNOWN.join(", "),
        })?,
    };
    Ok((name, document))
}

/// Reads the document; `-` is standard input. It may be as large as a hook's.
fn load(path: &Path, most: usize) -> Result<Bytes, CommandError> {
    let mut bytes = Vec::new();
    // One more tells that it is larger.
    let limit = (most as u64).saturating_add(1);
    let read = if path == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    let path = path.to_owned();
    match read {
        Err(source) => Err(CommandError::Read { path, source }),
        Ok(length) if length > most => Err(CommandError::TooLarge { path }),
        Ok(_) => Ok(bytes.into()),
    }
}

async fn ask(configuration: Configuration, name: HookName, document: Bytes) -> Result<Run, CommandError> {
    let ground = Ground {
        connector: Connector::new().map_err(koigate::assembly::StartError::from)?,
        metrics: Arc::new(Metrics::new().map_err(koigate::assembly::StartError::from)?),
        room: Arc::default(),
    };
    let running = Arc::new(Running::new(configuration.plan, None, &ground));
    let (hook, chain) = configured(&running, &name)?;
    let ids = Ids::new(None);
    let beside = beside::ask(
        running.clone(),
        (hook.clone(), chain.clone()),
        ids.clone(),
        document.clone(),
    );
    let begun = Instant::now();
    let base = Arc::new(Base::new(document.clone()));
    let tally = Tally::new(running.plan.clone(), chain.clone(), Hook { name, base });
    let deadline = begun + chain.deadline;
    let asks = HookCaller::new(running, hook, ids.clone(), &document, deadline);
    let caller = Arc::new(Witness::new(asks));
    let detailed = tally.with_detail(Detail::Listed);
    let answered = async {
        let done = dispatch(&caller, detailed, deadline, Form::Single).await;
        (done, begun.elapsed())
    };
    // The answer would leave before the shadows have ended, and they are compared with it afterwards.
    let ((done, took), brought) = join(answered, beside).await;
    let Done {
        outcome,
        answer,
        happened,
    } = done;
    let finished = Finished {
        id: ids.request,
        at: SystemTime::now(),
        took,
        document,
        outcome,
        answered: Answered::of(&answer),
    };
    Ok(Run {
        finished,
        answer,
        sent: caller.sent(),
        beside: happened.map_or_else(Vec::new, |happened| brought.against(&happened)),
    })
}

/// The hook of this name and its chain. The name was looked up among the chains of this very plan.
fn configured(running: &Running, name: &HookName) -> Result<(Arc<LiveHook>, Arc<Chain>), CommandError> {
    let hook = running.hook(name).cloned();
    let found = hook.and_then(|hook| Some((hook.clone(), hook.chain.clone()?)));
    found.ok_or_else(|| CommandError::NoChain {
        hook: name.to_string(),
        chains: String::new(),
    })
}

/// What the bot would do with the answer.
fn told(out: &mut impl Write, run: &Run) -> io::Result<()> {
    let deed = deed(&run.finished.document, &run.answer).to_string();
    for (place, line) in deed.lines().enumerate() {
        let speaker = if place == 0 { "the bot" } else { "" };
        writeln!(out, "{speaker:<8} {line}")?;
    }
    Ok(())
}

// === impl Run ===

impl Run {
    /// All of it. Nobody but the one who asked sees it, so nothing is hidden.
    fn trace(&self) -> Trace {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let mut trace = Trace::of(&self.finished, &[]);
        trace.document = Some(text(&self.finished.document));
        for (call, record) in trace.calls.iter_mut().zip(&self.finished.outcome.calls) {
            call.sent = self.sent.get(&record.backend).map(text);
        }
        let shadow = |found: &Found| {
            let mut shadow = Shadow::of(&found.finding, &self.finished.outcome.plan, &[]);
            shadow.call.sent = found.sent.as_ref().map(text);
            shadow
        };
        trace.shadows = self.beside.iter().map(shadow).collect();
        trace
    }

    /// Saves what each backend was sent, and every picture of the answer, as a file of its own.
    fn save(&self, folder: &Path) -> Result<(), CommandError> {
        let made = DirBuilder::new().recursive(true).create(folder);
        made.map_err(|source| CommandError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let outcome = &self.finished.outcome;
        let calls = outcome.calls.iter();
        let asked = calls.map(|call| (outcome.name(call), self.sent.get(&call.backend)));
        let beside = self.beside.iter();
        let shadows = beside.map(|found| (found.finding.call.name(&outcome.plan), found.sent.as_ref()));
        for (place, (name, sent)) in (1..).zip(asked.chain(shadows)) {
            if let Some(sent) = sent {
                save(folder, &format!("sent-{place}-{name}.json"), sent)?;
            }
        }
        for (place, picture) in (1..).zip(demo::pictures(&self.answer)) {
            save(
                folder,
                &format!("picture-{place}.{}", extension(&picture)),
                &picture,
            )?;
        }
        Ok(())
    }
}

// === helpers ===

/// Saves one file and says where. Documents hold the bot's secrets, so nobody else may read it.
fn save(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), CommandError> {
    let path = folder.join(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&path).and_then(|mut file| file.write_all(bytes));
    match written {
        Ok(()) => {
            say(format_args!("{}\n", path.display()));
            Ok(())
        }
        Err(source) => Err(CommandError::Write { path, source }),
    }
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
