//! A page of documentation as it is read here: headings, code blocks, links, words in backticks.

use std::collections::BTreeSet;

/// A page of the repository.
pub(super) struct Page {
    pub(super) name: &'static str,
    text: &'static str,
}

/// A fenced block of code. A comment line right before it, `<!-- NAME -->`, names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) name: Option<&'static str>,
    pub(super) language: &'static str,
    /// Without the indentation of the list that it stands in.
    pub(super) text: String,
}

/// What a line is.
enum Line {
    Prose(&'static str),
    Code(Block),
}

pub(super) const ENGLISH: Page = Page {
    name: "README.md",
    text: include_str!("../../README.md"),
};

pub(super) const CHINESE: Page = Page {
    name: "README.zh-CN.md",
    text: include_str!("../../README.zh-CN.md"),
};

pub(super) const SECURITY: Page = Page {
    name: ".github/SECURITY.md",
    text: include_str!("../../.github/SECURITY.md"),
};

impl Page {
    /// The code blocks, in order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let blocks = self.lines().into_iter().filter_map(|line| match line {
            Line::Code(block) => Some(block),
            Line::Prose(_) => None,
        });
        blocks.collect()
    }

    /// The blocks of one language.
    pub(super) fn blocks_in(&self, language: &str) -> Vec<Block> {
        let mut blocks = self.blocks();
        blocks.retain(|block| block.language == language);
        blocks
    }

    /// The text of the block of this name.
    pub(super) fn block(&self, name: &str) -> String {
        let mut found = self.blocks().into_iter().filter(|block| block.name == Some(name));
        match (found.next(), found.next()) {
            (Some(block), None) => block.text,
            (first, _) => panic!("{}: {name}: {first:?}, and not exactly one", self.name),
        }
    }

    /// Levels and texts of the headings.
    pub(super) fn headings(&self) -> Vec<(usize, &'static str)> {
        let heading = |line: &'static str| {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            (level > 0).then(|| (level, text.trim()))
        };
        self.prose().into_iter().filter_map(heading).collect()
    }

    /// Where the links lead: addresses, paths, and for headings of the page itself their number, `#3`.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = self.prose().join("\n");
        let parts = prose.split("](").skip(1);
        let targets = parts.map(|rest| rest.split(')').next().unwrap_or_default());
        targets.map(|target| self.numbered(target)).collect()
    }

    /// Whether one of its headings can be linked by this name.
    pub(super) fn has_heading(&self, anchor: &str) -> bool {
        self.headings().iter().any(|(_, text)| slug(text) == anchor)
    }

    fn numbered(&self, target: &str) -> String {
        let Some(anchor) = target.strip_prefix('#') else {
            return target.to_owned();
        };
        let headings = self.headings();
        let number = headings.iter().position(|(_, text)| slug(text) == anchor);
        let number = number.unwrap_or_else(|| panic!("{}: no heading for {target}", self.name));
        format!("#{number}")
    }

    /// What stands between backticks in the prose.
    pub(super) fn spans(&self) -> Vec<&'static str> {
        let prose = self.prose();
        let spans = prose
            .into_iter()
            .flat_map(|line| line.split('`').skip(1).step_by(2));
        spans.collect()
    }

    /// Every word of the page that begins so.
    pub(super) fn words(&self, beginning: &str) -> BTreeSet<&'static str> {
        let words = self.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| word.starts_with(beginning)).collect()
    }

    /// The first line of the page.
    pub(super) fn first_line(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default()
    }

    fn prose(&self) -> Vec<&'static str> {
        let prose = self.lines().into_iter().filter_map(|line| match line {
            Line::Prose(line) => Some(line),
            Line::Code(_) => None,
        });
        prose.collect()
    }

    fn lines(&self) -> Vec<Line> {
        let mut found = Vec::new();
        let mut lines = self.text.lines();
        let mut before = "";
        while let Some(line) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else {
                found.push(Line::Prose(line));
                before = line;
                continue;
            };
            let indent = line.len() - line.trim_start().len();
            let is_fence = |line: &&str| line.trim() == "```";
            let body = lines.by_ref().take_while(|line| !is_fence(line));
            let body = body.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n");
            let text = body.collect();
            let comment = before.trim().strip_prefix("<!-- ");
            let name = comment.and_then(|comment| comment.strip_suffix(" -->"));
            found.push(Line::Code(Block { name, language, text }));
            before = "";
        }
        found
    }
}

/// The name that a heading can be linked by: small letters, digits, `-` and `_`; a hyphen for a space.
fn slug(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(is_kept)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
