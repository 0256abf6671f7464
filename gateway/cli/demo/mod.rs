//! `koigate demo`: everything on one machine, with nothing installed.
//!
//! Three mocks ([`services`]), a configuration file like anybody's and the gateway on it ([`site`]), and a
//! [`bot`] that posts documents as koipy does and acts on the answers ([`deed`]). [`show`] prints it all.

mod bot;
mod deed;
mod services;
mod show;
mod site;

use bytes::Bytes;
use koigate::server::{Hangups, Stops};

pub(crate) use self::bot::BotError;
pub(crate) use self::deed::{deed, pictures};
use self::services::{REFUSED_USER, Service, Services};
use self::site::{Ports, Sides, Site};
use super::args::DemoArgs;
use super::error::CommandError;
use super::{block_on, whole};

/// One hook of the show.
struct Scene {
    /// Its kind.
    hook: &'static str,
    /// What has happened, in both languages.
    occasion: &'static str,
    /// What the bot posts.
    document: Bytes,
}

const ON_MESSAGE: &str = include_str!("onMessage.json");
const ON_PRE_SEND: &str = include_str!("onPreSend.json");
const ON_RESULT: &str = include_str!("onResult.json");
/// A document of this hook as koipy sends it, of the three that it has.
pub(crate) fn sample(hook: &str) -> Option<Bytes> {
    let document = match hook {
        "onMessage" => ON_MESSAGE,
        "onPreSend" => ON_PRE_SEND,
        "onResult" => ON_RESULT,
        _ => return None,
    };
    Some(Bytes::from_static(document.as_bytes()))
}

/// Where the documents name their sender, as koipy's Python spells it.
const SENDER: &str = "\"from-user\": {\"id\": 5381204417";

/// Shows the gateway at work; stays up until SIGTERM or SIGINT, unless told otherwise.
///
/// # Errors
///
/// It can't be started here, or the gateway does not answer.
pub(crate) fn run(args: &DemoArgs) -> Result<(), CommandError> {
    block_on(0, async {
        let services = Services::start()?;
        let ended = perform(&services.list, args).await;
        services.stop().await;
        ended
    })
}

async fn perform(services: &[Service], args: &DemoArgs) -> Result<(), CommandError> {
    let signals = Stops::signals().map_err(CommandError::System)?;
    let (ports, stay) = if args.once {
        (Ports::Free, None)
    } else {
        (Ports::Usual, Some(signals))
    };
    let site = Site::new()?;
    let (gateway, sides, log) = site.gateway(services, ports)?;
    let (tell, told) = Stops::told();
    let show = async {
        let shown = play(&site, services, sides, stay).await;
        // It fails only where the gateway has ended, which is what is asked for.
        let _ = tell.send(());
        shown
    };
    let (ended, shown) = tokio::join!(gateway.run(told, Hangups::never(), log.level()), show);
    shown?;
    whole(ended)
}

/// Sends every scene's document through the gateway and shows what comes of it; then waits for a signal, if there
/// is one to wait for.
async fn play(
    site: &Site,
    services: &[Service],
    sides: Sides,
    stay: Option<Stops>,
) -> Result<(), CommandError> {
    let mut out = anstream::stdout();
    show::opening(&mut out, site, services, sides)?;
    for Scene {
        hook,
        occasion,
        document,
    } in scenes()
    {
        show::scene(&mut out, hook, occasion)?;
        let heard = bot::post(sides.hooks, &document).await?;
        show::heard(&mut out, &heard, &deed(&document, &heard.answer))?;
        for (place, picture) in (1..).zip(deed::pictures(&heard.answer)) {
            show::picture(&mut out, &site.keep(&format!("{hook}-{place}.png"), &picture)?)?;
        }
    }
    if let Some(mut signals) = stay {
        show::closing(&mut out, sides)?;
        signals.next().await;
    }
    Ok(())
}

fn scenes() -> [Scene; 4] {
    let refused = format!("\"from-user\": {{\"id\": {REFUSED_USER}");
    let scene = |hook, occasion, document: String| Scene {
        hook,
        occasion,
        document: document.into(),
    };
    [
        scene(
            "onMessage",
            "a user asks for a test · 用户发起测试",
            ON_MESSAGE.to_owned(),
        ),
        scene(
            "onMessage",
            "a user on the blacklist asks for one · 黑名单上的用户发起测试",
            ON_MESSAGE.replacen(SENDER, &refused, 1),
        ),
        scene(
            "onPreSend",
            "the test is about to begin · 测试即将开始",
            ON_PRE_SEND.to_owned(),
        ),
        scene(
            "onResult",
            "the results of 12 nodes are in · 12 个节点的结果已出",
            ON_RESULT.to_owned(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use koigate_core::hook::infer;
    use koigate_core::json::Document;

    use super::*;

    #[test]
    fn every_document_is_of_its_kind() {
        for Scene { hook, document, .. } in scenes() {
            let document = Document::parse(document).unwrap();
            assert_eq!(infer(&document), Some(hook));
        }
    }

    #[test]
    fn the_second_scene_has_another_user() {
        let [asked, refused, ..] = scenes().map(|scene| scene.document);
        assert_ne!(asked, refused);
        let user = format!("\"from-user\": {{\"id\": {REFUSED_USER}, ");
        assert!(std::str::from_utf8(&refused).unwrap().contains(&user));
    }
}
