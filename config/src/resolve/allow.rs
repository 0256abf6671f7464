//! The source addresses that hooks may come from.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::place::Placed;
use crate::problem::AllowProblem;
use crate::report::Findings;

/// How long the prefix of IPv4's addresses is among those of IPv6 (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

/// The networks of an array; none where there is no array. What is wrong is noted and left out.
pub(super) fn resolve(written: Option<&Placed<Vec<Placed<String>>>>, findings: &mut Findings) -> Vec<IpNet> {
    let Some(written) = written else {
        return Vec::new();
    };
    if written.value.is_empty() {
        findings.note(&written.span, AllowProblem::Nobody);
    }
    let mut networks = Vec::new();
    for text in &written.value {
        match network(&text.value) {
            Ok(network) => networks.push(network),
            Err(problem) => findings.note(&text.span, problem),
        }
    }
    networks
}

/// A network, or a single address. What is IPv4's within IPv6 is IPv4's, as callers' addresses are.
fn network(text: &str) -> Result<IpNet, AllowProblem> {
    let Some(network) = read(text) else {
        let nearest = nearest(text);
        return Err(AllowProblem::NotANetwork { nearest });
    };
    if network.trunc() != network {
        let meant = network.trunc().to_string();
        let alone = network.addr().to_string();
        return Err(AllowProblem::HostBits { meant, alone });
    }
    Ok(canonical(network))
}

fn read(text: &str) -> Option<IpNet> {
    let alone = text.parse::<IpAddr>().map(IpNet::from);
    alone.or_else(|_| text.parse()).ok()
}

fn canonical(network: IpNet) -> IpNet {
    let bits = network.prefix_len().checked_sub(MAPPED);
    match (network.addr().to_canonical(), bits) {
        (IpAddr::V4(address), Some(bits)) if network.addr().is_ipv6() => {
            Ipv4Net::new(address, bits).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

/// What was probably meant: a mask for a length, stars for what may be anything, an address of the machine by name.
fn nearest(text: &str) -> Option<String> {
    let text = text.trim();
    if text == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.to_string());
    }
    if text == "*" {
        return None;
    }
    let masked = text.split_once('/').and_then(|(address, mask)| {
        let network = IpNet::with_netmask(address.parse().ok()?, mask.parse().ok()?);
        network.ok()
    });
    let meant = masked.or_else(|| with_stars(text)).or_else(|| read(text))?;
    Some(meant.trunc().to_string())
}

/// `10.0.*.*`
fn with_stars(text: &str) -> Option<IpNet> {
    let known = text.trim_end_matches(".*");
    let number = known.split('.').count();
    let bits = u8::try_from(number * 8).ok()?;
    let is_whole = known.len() + ".*".len() * 4_usize.checked_sub(number)? == text.len();
    if !is_whole || number == 4 {
        return None;
    }
    let address = format!("{known}{}", ".0".repeat(4 - number)).parse().ok()?;
    IpNet::new(address, bits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, expected) in [
            ("127.0.0.0/8", Ok("127.0.0.0/8")),
            ("::1", Ok("::1/128")),
            ("192.0.2.7", Ok("192.0.2.7/32")),
            ("2001:db8::/32", Ok("2001:db8::/32")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::/0", Ok("::/0")),
            ("::ffff:10.0.0.0/104", Ok("10.0.0.0/8")),
            ("::ffff:192.0.2.7", Ok("192.0.2.7/32")),
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            ("127.0.0.1/8", Err("127.0.0.0/8 or 127.0.0.1")),
            ("2001:db8::1/64", Err("2001:db8::/64 or 2001:db8::1")),
            ("10.0.0.0/255.0.0.0", Err("10.0.0.0/8")),
            ("10.0.0.7/255.255.255.0", Err("10.0.0.0/24")),
            ("10.0.*.*", Err("10.0.0.0/16")),
            ("192.168.1.*", Err("192.168.1.0/24")),
            (" 192.0.2.7 ", Err("192.0.2.7/32")),
            ("localhost", Err("127.0.0.1")),
            ("10.0.*", Err("")),
            ("10.*.0.*", Err("")),
            ("*", Err("")),
            ("", Err("")),
            ("10.0.0.0/33", Err("")),
            ("koipy.example", Err("")),
            ("10.0.0.1-10.0.0.9", Err("")),
            ("127.0.0.1:8600", Err("")),
        ] {
            let found = network(text).map(|network| network.to_string());
            let found = found.map_err(|problem| match problem {
                AllowProblem::NotANetwork { nearest } => nearest.unwrap_or_default(),
                AllowProblem::HostBits { meant, alone } => format!("{meant} or {alone}"),
                AllowProblem::Nobody => unreachable!("one text"),
            });
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
