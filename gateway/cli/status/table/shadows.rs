//! What the shadows would have done so far, below the backends.

use std::io::{self, Write};

use koigate::admin::status::Backend;
use koigate::metrics::ShadowCounts;

use super::super::super::operator::visible;
use super::super::super::palette::{NAME, TITLE};
use super::column;

/// The counts by their headings, which are the words of `koigate_shadow_total`.
fn counts(counts: ShadowCounts) -> [(&'static str, u64); 5] {
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

/// Writes a line for each shadow; nothing where there is none.
pub(super) fn write(out: &mut impl Write, backends: &[Backend]) -> io::Result<()> {
    let shadows = backends.iter().filter_map(|backend| {
        let counted = backend.shadow?;
        Some((visible(&backend.name), counts(counted)))
    });
    let shadows: Vec<_> = shadows.collect();
    if shadows.is_empty() {
        return Ok(());
    }
    let name = column("SHADOW", shadows.iter().map(|(name, _)| name.as_str()));
    write!(out, "\n{TITLE}{:<name$}", "SHADOW")?;
    for (heading, _) in counts(ShadowCounts::default()) {
        write!(out, "  {heading:>WIDTH$}")?;
    }
    writeln!(out, "{TITLE:#}")?;
    for (shown, counts) in shadows {
        write!(out, "{NAME}{shown:<name$}{NAME:#}")?;
        for (_, count) in counts {
            write!(out, "  {count:>WIDTH$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Ten million hooks are a number of eight digits.
const WIDTH: usize = 8;
