//! Which key a variable's name stands for, among those that a file can have.

use toml::de::{DeTable, DeValue};

use super::PREFIX;
use crate::keys::{self, NAME, Takes};
use crate::near::nearest;
use crate::problem::{OverrideProblem, quotable};
use koigate_core::hook::KNOWN;

/// What stands between a table and what is in it.
const BETWEEN: &str = "__";

/// Every name that a variable can have for one file.
pub(super) struct Names {
    list: Vec<Name>,
}

/// A key, or a table, as variables spell it.
struct Name {
    key: Key,
    /// In lower case, with `_` for `-`.
    spelling: String,
    is_section: bool,
    /// What an entry of any name takes, in a table that variables may add one to.
    entries: Option<Takes>,
}

/// A key that a variable overrides.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) path: Vec<String>,
    pub(super) takes: Takes,
    /// Whether it says where a secret is: `env` or `file`.
    pub(super) is_source: bool,
}

// === impl Names ===

impl Names {
    /// Those of the keys that are known, with the names that stand in this file.
    pub(super) fn of(tables: &DeTable<'_>) -> Self {
        let keys = keys::keys();
        let mut list = Vec::new();
        for key in keys {
            let entry = keys.iter().find(|inner| {
                inner.is_named() && inner.path.split_last().map(|(_, path)| path) == Some(&key.path[..])
            });
            for path in filled_in(&key.path, tables) {
                list.push(Name {
                    spelling: spelling(&path.join(BETWEEN)),
                    is_section: key.is_section,
                    entries: entry.filter(|entry| !entry.is_section).map(keys::Key::takes),
                    key: Key {
                        is_source: key.is_source(),
                        takes: key.takes(),
                        path,
                    },
                });
            }
        }
        Self { list }
    }

    /// The key that is spelt so.
    pub(super) fn find(&self, rest: &str) -> Result<Key, OverrideProblem> {
        let rest = spelling(rest);
        let found: Vec<&Name> = self.list.iter().filter(|name| name.spelling == rest).collect();
        match found[..] {
            [] => self.added(&rest).ok_or_else(|| self.absent(&rest)),
            [one] if one.is_section => Err(self.whole(one)),
            [one] => Ok(one.key.clone()),
            _ => Err(OverrideProblem::Ambiguous {
                keys: found.iter().map(|name| name.key.path.join(".")).collect(),
            }),
        }
    }

    /// The variable for the key that differs only by its underscores.
    pub(super) fn spelt_alike(&self, rest: &str) -> Option<String> {
        let squeezed = |text: &str| spelling(text).replace('_', "");
        let meant = squeezed(rest);
        let is_it = |name: &&Name| !name.is_section && squeezed(&name.spelling) == meant;
        self.list.iter().find(is_it).map(|name| variable(&name.spelling))
    }

    /// An entry that isn't in the file, of a table that takes any name.
    fn added(&self, rest: &str) -> Option<Key> {
        self.list.iter().find_map(|table| {
            let takes = table.entries?;
            let entry = inside(rest, &table.spelling)?;
            let (name, source) = match entry.split_once(BETWEEN) {
                Some((name, source)) => (name, Some(source)),
                None => (entry, None),
            };
            let source = source.map(|source| ["env", "file"].into_iter().find(|known| *known == source));
            let mut path = table.key.path.clone();
            path.push(header(name));
            Some(match source {
                None => Key {
                    path,
                    takes,
                    is_source: false,
                },
                Some(source) => {
                    path.push(source?.to_owned());
                    let takes = Takes {
                        text: true,
                        ..Takes::default()
                    };
                    Key {
                        path,
                        takes,
                        is_source: true,
                    }
                }
            })
        })
    }

    /// Says of a name that stands for nothing what was probably meant.
    fn absent(&self, rest: &str) -> OverrideProblem {
        let within = self
            .list
            .iter()
            .filter(|table| inside(rest, &table.spelling).is_some())
            .max_by_key(|table| table.spelling.len());
        let (path, left) = match within {
            Some(table) => (
                &table.key.path[..],
                inside(rest, &table.spelling).unwrap_or_default(),
            ),
            None => (&[][..], rest),
        };
        let name = left.split(BETWEEN).next().unwrap_or_default();
        let known: Vec<&str> = self.members(path);
        let meant = nearest(name, known.iter().copied());
        let nearest = self.spelt_alike(rest).or_else(|| {
            let meant = spelling(meant?);
            let before = rest.strip_suffix(left).unwrap_or_default();
            let after = left.get(name.len()..).unwrap_or_default();
            Some(variable(&format!("{before}{meant}{after}")))
        });
        match path {
            [table] if nearest.is_none() && matches!(table.as_str(), "backends" | "hooks") => {
                let hook = KNOWN.into_iter().find(|hook| spelling(hook) == name);
                OverrideProblem::NotInFile {
                    table: table.clone(),
                    name: quotable(hook.unwrap_or(name)),
                }
            }
            _ => OverrideProblem::Unknown {
                name: quotable(name),
                table: path.join("."),
                nearest,
                known: known.into_iter().map(str::to_owned).collect(),
            },
        }
    }

    fn whole(&self, section: &Name) -> OverrideProblem {
        let keys = self.list.iter().filter(|name| !name.is_section);
        let example = keys
            .map(|name| &name.spelling)
            .find(|spelling| inside(spelling, &section.spelling).is_some());
        OverrideProblem::WholeTable {
            table: section.key.path.join("."),
            example: example.map(|spelling| variable(spelling)),
        }
    }

    /// What is in a table.
    fn members(&self, path: &[String]) -> Vec<&str> {
        let split = self.list.iter().filter_map(|name| name.key.path.split_last());
        split
            .filter(|(_, outer)| *outer == path)
            .map(|(last, _)| last.as_str())
            .collect()
    }
}

/// A path with the names that the file has for what the author names; one for each of them.
fn filled_in(path: &[String], tables: &DeTable<'_>) -> Vec<Vec<String>> {
    path.iter().fold(vec![Vec::new()], |paths, segment| {
        let longer = paths.into_iter().flat_map(|path: Vec<String>| {
            let names = match segment.as_str() {
                NAME => names_in(&path, tables),
                known => vec![known.to_owned()],
            };
            names.into_iter().map(move |name| [&path[..], &[name]].concat())
        });
        longer.collect()
    })
}

/// The names in a table of the file. A backend's headers are also those that it inherits.
fn names_in(path: &[String], tables: &DeTable<'_>) -> Vec<String> {
    let mut names = written(path, tables);
    if let [table, _, headers] = path
        && table == "backends"
    {
        let inherited = written(&["defaults".to_owned(), headers.clone()], tables);
        let added: Vec<String> = inherited
            .into_iter()
            .filter(|name| !names.iter().any(|own| spelling(own) == spelling(name)))
            .collect();
        names.extend(added);
    }
    names
}

fn written(path: &[String], tables: &DeTable<'_>) -> Vec<String> {
    let table = path
        .iter()
        .try_fold(tables, |table, name| match table.get(name.as_str())?.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        });
    let names = table.into_iter().flat_map(|table| table.keys());
    names.map(|name| name.get_ref().to_string()).collect()
}

/// What comes after a table's name and `__`.
fn inside<'a>(rest: &'a str, table: &str) -> Option<&'a str> {
    rest.strip_prefix(table)?.strip_prefix(BETWEEN)
}

/// As variables are compared.
fn spelling(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// The variable's whole name.
fn variable(spelling: &str) -> String {
    format!("{PREFIX}{}", spelling.to_uppercase())
}

/// A header's name as it is usually written. Its case doesn't count, but there are services that don't know.
fn header(spelling: &str) -> String {
    let words = spelling.split('_').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}
