//! Documents by chance, and what services make of them. A seed and a size decide, so that a failure can be
//! repeated and shrinks.

use crate::tree::Tree;

/// Numbers that look like chance (SplitMix64).
pub struct Dice(u64);

/// Keys: few, so that they meet; some alike, some escaped, some no serialiser can spell.
const KEYS: [&[u32]; 11] = [
    &[0x61],
    &[0x62],
    &[0x61, 0x2D, 0x62],
    &[0x61, 0x5F, 0x62],
    &[0x61, 0x2D, 0x62, 0x5F],
    &[0x8282, 0x70B9],
    &[0x78, 0xD83C],
    &[0x2F, 0x7E],
    &[0x22, 0x5C],
    &[],
    &[0x1F1ED],
];

const POINTS: [u32; 16] = [
    0x61, 0x62, 0x2D, 0x5F, 0x22, 0x5C, 0x2F, 0x0A, 0x01, 0x7F, 0xE9, 0x8282, 0x1F1ED, 0xD83C, 0xDDED, 0xFFFD,
];

const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "10e-1",
    "1.50",
    "-1001987654321",
    "9007199254740993",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "0.1",
    "0.1000000000000000055511151231257827",
    "123456789012345678901234567890",
    "1E5",
    "5e-324",
];

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A document: an object, with a `result` as a rule.
    pub fn document(&mut self, size: usize) -> Tree {
        let Tree::Object(mut members) = self.object(size, 0) else {
            unreachable!("an object is one");
        };
        if !self.once_in(4) {
            let at = self.below(members.len() + 1);
            let result = self.object(size, 1);
            members.insert(at, (KEY_RESULT.to_vec(), result));
        }
        Tree::Object(members)
    }

    /// Any value.
    pub fn value(&mut self, size: usize, depth: usize) -> Tree {
        match self.below(if depth > 4 || size == 0 { 4 } else { 8 }) {
            0 => Tree::Null,
            1 => Tree::Bool(self.once_in(2)),
            2 => Tree::Number(NUMBERS[self.below(NUMBERS.len())].to_owned()),
            3 => Tree::Text(self.text()),
            4 | 5 => self.object(size, depth),
            _ => {
                let elements = self.below(size.min(5) + 1);
                Tree::Array((0..elements).map(|_| self.value(size / 2, depth + 1)).collect())
            }
        }
    }

    fn object(&mut self, size: usize, depth: usize) -> Tree {
        let mut members: Vec<(Vec<u32>, Tree)> = Vec::new();
        for _ in 0..self.below(size.min(6) + 1) {
            let key = self.key();
            if members.iter().all(|(other, _)| *other != key) {
                members.push((key, self.value(size / 2, depth + 1)));
            }
        }
        Tree::Object(members)
    }

    fn key(&mut self) -> Vec<u32> {
        KEYS[self.below(KEYS.len())].to_vec()
    }

    fn text(&mut self) -> Vec<u32> {
        let mut text: Vec<u32> = (0..self.below(12))
            .map(|_| POINTS[self.below(POINTS.len())])
            .collect();
        // Two halves side by side are no halves.
        text.dedup_by(|second, first| *first == 0xD83C && *second == 0xDDED);
        text
    }

    /// What a service might send back: most of it as it was.
    pub fn reply(&mut self, sent: &Tree) -> Tree {
        match sent {
            Tree::Object(members) => {
                let mut members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| (key.clone(), self.edited(value)))
                    .collect();
                if self.once_in(3) {
                    members.retain(|_| !self.once_in(4));
                }
                Tree::Object(self.shuffled(members))
            }
            other => other.clone(),
        }
    }

    fn edited(&mut self, sent: &Tree) -> Tree {
        if self.once_in(12) {
            return self.value(3, 3);
        }
        match sent {
            Tree::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| (self.respelled(key), self.edited(value)))
                    .collect();
                let mut members = self.shuffled(members);
                if self.once_in(8) && !members.is_empty() {
                    members.remove(self.below(members.len()));
                }
                if self.once_in(5) {
                    members.push((self.key(), self.value(3, 3)));
                }
                if self.once_in(20) && !members.is_empty() {
                    // A key twice: the last counts.
                    let again = members[self.below(members.len())].0.clone();
                    members.push((again, self.value(3, 3)));
                }
                Tree::Object(members)
            }
            Tree::Array(elements) => {
                let mut elements: Vec<_> = match self.below(3) {
                    0 => elements.iter().map(|element| self.edited(element)).collect(),
                    _ => elements.clone(),
                };
                match self.below(8) {
                    0 => elements.push(self.value(3, 3)),
                    1 => drop(elements.pop()),
                    2 => elements.reverse(),
                    _ => {}
                }
                Tree::Array(elements)
            }
            other => other.clone(),
        }
    }

    fn respelled(&mut self, key: &[u32]) -> Vec<u32> {
        let spare = self.once_in(6);
        key.iter()
            .map(|&point| if spare && point == 0x2D { 0x5F } else { point })
            .collect()
    }

    fn shuffled<T>(&mut self, mut list: Vec<T>) -> Vec<T> {
        if self.once_in(3) {
            for at in 1..list.len() {
                list.swap(at, self.below(at + 1));
            }
        }
        list
    }
}

/// `result`.
pub const KEY_RESULT: &[u32] = &[0x72, 0x65, 0x73, 0x75, 0x6C, 0x74];
