//! The documents that load is made of, by their size: a message alone, a request with its proxies, results.

use crate::tree::Tree;
use crate::{Dice, config, message, request, result};

/// One document, as large as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What it is called.
    pub name: &'static str,
    /// How many scripts the configuration has.
    scripts: usize,
    /// How many proxies the request has; none, and there is no request.
    proxies: usize,
    /// How many nodes the results have; none, and there are no results.
    pub nodes: usize,
}

impl Size {
    /// All there are: an `onMessage`, an `onPreSend` and three `onResult`.
    pub const ALL: [Self; 5] = [
        Self::new("3k", 18, 0, 0),
        Self::new("40k", 9, 90, 0),
        Self::K200,
        Self::M2,
        Self::new("8m", 9, 2_800, 14_400),
    ];

    /// Results of a few hundred nodes.
    pub const K200: Self = Self::new("200k", 9, 100, 320);

    /// Results of a few thousand.
    pub const M2: Self = Self::new("2m", 9, 700, 3_600);

    const fn new(name: &'static str, scripts: usize, proxies: usize, nodes: usize) -> Self {
        Self {
            name,
            scripts,
            proxies,
            nodes,
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|size| size.name == name);
        found.ok_or_else(|| format!("one of {}", Self::ALL.map(|size| size.name).join(", ")))
    }

    /// The document.
    pub fn document(self) -> Tree {
        let mut dice = Dice(20_261_124);
        let key = |name: &str| name.chars().map(u32::from).collect();
        let mut members = vec![
            (key("message"), message()),
            (key("config"), config(&mut dice, self.scripts)),
        ];
        if self.proxies > 0 {
            members.push((key("slaveRequest"), request(&mut dice, self.proxies)));
        }
        if self.nodes > 0 {
            members.push((key("result"), result(&mut dice, self.nodes)));
        }
        members.push((key("addons"), Tree::object([])));
        Tree::Object(members)
    }
}
