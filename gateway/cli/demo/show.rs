//! What the demo prints: English and Chinese side by side, coloured on a terminal alone.

use std::io::{self, Write};
use std::path::Path;

use koigate_core::hook::KNOWN;

use super::bot::{Call, Heard};
use super::deed::Deed;
use super::services::Service;
use super::site::{Sides, Site};
use crate::cli::palette::{self, NAME, QUIET, TITLE};

/// The first column.
const WIDTH: usize = 10;

/// The heading, and what stands ready.
pub(crate) fn opening(
    out: &mut impl Write,
    site: &Site,
    services: &[Service],
    sides: Sides,
) -> io::Result<()> {
    writeln!(out, "{TITLE}Koigate demo · 演示{TITLE:#}\n")?;
    writeln!(
        out,
        "Three callback services, as `koigate mock --reply` runs them · 三个回调服务"
    )?;
    for Service {
        name,
        behaviour,
        address,
    } in services
    {
        writeln!(
            out,
            "  {NAME}{name:<WIDTH$}{NAME:#} http://{address}/  {behaviour}"
        )?;
    }
    writeln!(
        out,
        "The gateway in front, and its configuration · 前面的网关，以及它的配置文件"
    )?;
    writeln!(
        out,
        "  {NAME}{:<WIDTH$}{NAME:#} http://{}/  {}",
        "koigate",
        sides.hooks,
        site.configuration().display()
    )
}

/// The line above one hook.
pub(crate) fn scene(out: &mut impl Write, hook: &str, occasion: &str) -> io::Result<()> {
    writeln!(out, "\n{TITLE}{hook}{TITLE:#}  {occasion}")
}

/// What each service said, what the bot got, and what it does.
pub(crate) fn heard(out: &mut impl Write, heard: &Heard, deed: &Deed) -> io::Result<()> {
    for Call {
        backend,
        verdict,
        milliseconds,
    } in &heard.calls
    {
        let style = palette::verdict(verdict);
        writeln!(
            out,
            "  {NAME}{backend:<WIDTH$}{NAME:#} {style}{verdict:<10}{style:#}{milliseconds:>7} ms"
        )?;
    }
    let (status, took) = (heard.answer.status, heard.took.as_secs_f64() * 1000.0);
    writeln!(
        out,
        "  {TITLE}{:<WIDTH$}{TITLE:#} {status:<10}{took:>7.1} ms",
        "answer"
    )?;
    for (place, line) in deed.to_string().lines().enumerate() {
        let speaker = if place == 0 { "the bot" } else { "" };
        writeln!(out, "  {TITLE}{speaker:<WIDTH$}{TITLE:#} {line}")?;
    }
    Ok(())
}

/// Where a picture has been kept.
pub(crate) fn picture(out: &mut impl Write, path: &Path) -> io::Result<()> {
    writeln!(out, "  {:<WIDTH$} {QUIET}{}{QUIET:#}", "", path.display())
}

/// What to try next.
pub(crate) fn closing(out: &mut impl Write, sides: Sides) -> io::Result<()> {
    let Sides { hooks, admin } = sides;
    writeln!(out, "\nMetrics · 指标: http://{admin}/metrics")?;
    writeln!(out, "For koipy's config.yaml · 写入 koipy 的 config.yaml:\n")?;
    writeln!(out, "callbacks:")?;
    for hook in KNOWN {
        writeln!(out, "  {hook}: http://{hooks}/")?;
    }
    writeln!(out, "\nIt stays up until Ctrl-C · 保持运行，按 Ctrl-C 结束")
}
