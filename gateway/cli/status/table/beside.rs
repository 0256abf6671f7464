//! What the shadows would have done so far and what the observers were told, below the backends.

use std::io::{self, Write};

use koigate::admin::status::{Backend, Observer};
use koigate::metrics::ShadowCounts;

use super::super::super::operator::visible;
use super::super::super::palette::{NAME, TITLE};
use super::column;

/// What is counted, by headings.
type Counts<const N: usize> = [(&'static str, u64); N];

/// The headings are the words of `koigate_shadow_total`.
fn would(counts: ShadowCounts) -> Counts<5> {
    let ShadowCounts {
        agree,
        reject,
        change,
        fail,
        dropped,
    } = counts;
    [
        ("AGREE", agree),
        ("REJECT", reject),
        ("CHANGE", change),
        ("FAIL", fail),
        ("DROPPED", dropped),
    ]
}

fn told(observer: Observer) -> Counts<4> {
    [
        ("WAITING", observer.waiting as u64),
        ("DELIVERED", observer.ended.delivered),
        ("SKIPPED", observer.ended.skipped),
        ("LOST", observer.ended.lost()),
    ]
}

/// Writes a line for each shadow; nothing where there is none.
pub(super) fn shadows(out: &mut impl Write, backends: &[Backend]) -> io::Result<()> {
    let shadows = backends.iter();
    let shadows = shadows.filter_map(|one| Some((visible(&one.name), would(one.shadow?))));
    table(out, "SHADOW", &shadows.collect::<Vec<_>>())
}

/// The same for each observer.
pub(super) fn observers(out: &mut impl Write, backends: &[Backend]) -> io::Result<()> {
    let observers = backends.iter();
    let observers = observers.filter_map(|one| Some((visible(&one.name), told(one.observer?))));
    table(out, "OBSERVER", &observers.collect::<Vec<_>>())
}

fn table<const N: usize>(out: &mut impl Write, title: &str, rows: &[(String, Counts<N>)]) -> io::Result<()> {
    let Some((_, headings)) = rows.first() else {
        return Ok(());
    };
    let name = column(title, rows.iter().map(|(name, _)| name.as_str()));
    write!(out, "\n{TITLE}{title:<name$}")?;
    for (heading, _) in headings {
        let width = heading.len().max(WIDTH);
        write!(out, "  {heading:>width$}")?;
    }
    writeln!(out, "{TITLE:#}")?;
    for (shown, counts) in rows {
        write!(out, "{NAME}{shown:<name$}{NAME:#}")?;
        for (heading, count) in counts {
            let width = heading.len().max(WIDTH);
            write!(out, "  {count:>width$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Ten million hooks are a number of eight digits.
const WIDTH: usize = 8;
