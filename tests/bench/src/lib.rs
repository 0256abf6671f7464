//! Documents like the bot's, of any size, and replies like its services': the same on every run.

#[path = "../../../gateway/core/tests/json/tree.rs"]
pub mod tree;

pub mod documents;
pub mod hook;
pub mod pictures;

use bytes::Bytes;
use koigate_core::json::Document;
use koigate_core::json::diff::{Echoes, Edits, diff};
use koigate_core::merge::{Merged, merge};
use koigate_core::plan::OnConflict;

use self::tree::{Spelling, Tree};

/// What a service answers that sends the whole document back with one column more.
pub fn with_column(document: &Tree, column: &str) -> Tree {
    let mut reply = document.clone();
    if let Tree::Object(members) = &mut reply {
        for (key, value) in members.iter_mut() {
            if let (Tree::Object(columns), true) =
                (value, key.iter().copied().eq("result".chars().map(u32::from)))
            {
                let points = column.chars().map(u32::from).collect();
                columns.push((points, Tree::Array(vec![text("ok"); 300])));
            }
        }
    }
    reply
}

/// A string's tree.
pub fn text(text: &str) -> Tree {
    Tree::Text(text.chars().map(u32::from).collect())
}

/// Bytes as they come from a socket.
pub fn bytes(tree: &Tree, how: Spelling) -> Bytes {
    Bytes::from(tree.spell(how))
}

/// What is measured: the base is parsed, the replies are compared with it, and their edits merged.
///
/// # Panics
///
/// If anything here isn't JSON.
#[inline(never)]
#[allow(clippy::expect_used, reason = "a benchmark that measures errors should stop")]
pub fn judge(base: &Bytes, replies: &[Bytes]) -> Merged {
    let base = Document::parse(base.clone()).expect("the base is JSON");
    let mut echoes = Echoes::default();
    let edits: Vec<Edits> = replies
        .iter()
        .map(|reply| {
            diff(&base, reply.clone(), &mut echoes)
                .expect("replies are JSON")
                .edits
        })
        .collect();
    merge(&base, &edits.iter().collect::<Vec<_>>(), OnConflict::Last)
}

/// Numbers that look like chance (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick(&mut self, words: &[&str]) -> Tree {
        let at = self.below(words.len() as u64) as usize;
        text(words.get(at).copied().unwrap_or_default())
    }

    fn integer(&mut self, bound: u64) -> Tree {
        Tree::Number(self.below(bound).to_string())
    }

    /// A float with two decimals, or fewer where they would be zeros, as Python rounds.
    fn float(&mut self, bound: u64) -> Tree {
        Tree::Number(format!("{:?}", self.below(bound * 100) as f64 / 100.0))
    }

    fn hex(&mut self) -> Tree {
        text(&format!(
            "{:016x}{:016x}",
            self.below(u64::MAX),
            self.below(u64::MAX)
        ))
    }
}

const REGIONS: [&str; 6] = ["香港", "日本", "新加坡", "美国", "台湾", "德国"];

fn name(dice: &mut Dice, n: usize) -> Tree {
    let region = REGIONS.get(dice.below(6) as usize).copied().unwrap_or_default();
    text(&format!("{region} {n:03} | IEPL x1.{}", dice.below(10)))
}

fn message() -> Tree {
    Tree::object([
        ("id", Tree::Number("4711".into())),
        (
            "chat",
            Tree::object([
                ("id", Tree::Number("-1001234567890".into())),
                ("title", text("测速交流群")),
            ]),
        ),
        ("from-user", Tree::object([("first-name", text("张三"))])),
        ("text", text("/speed https://example.invalid/sub 香港|日本 过期")),
    ])
}

fn config(dice: &mut Dice, scripts: usize) -> Tree {
    let scripts = (0..scripts).map(|n| {
        Tree::object([
            ("name", text(&format!("脚本{n}"))),
            (
                "content",
                text("function handler() { return fetch('https://x.invalid').text(); } // padding"),
            ),
            ("rank", dice.integer(10)),
        ])
    });
    Tree::object([
        ("admin", Tree::Array(vec![Tree::Number("123456789".into())])),
        ("scripts", Tree::Array(scripts.collect())),
    ])
}

fn request(dice: &mut Dice, proxies: usize) -> Tree {
    let proxies = (0..proxies).map(|n| {
        Tree::object([
            ("name", name(dice, n)),
            (
                "type",
                dice.pick(&["ss", "vmess", "trojan", "vless", "hysteria2"]),
            ),
            ("server", text(&format!("n{n}.example.invalid"))),
            ("port", dice.integer(65_535)),
            ("cipher", text("aes-256-gcm")),
            ("password", dice.hex()),
            ("uuid", dice.hex()),
            ("udp", Tree::Bool(true)),
            ("tls", Tree::Bool(true)),
            ("sni", text(&format!("cdn{n}.example.invalid"))),
            ("skip-cert-verify", Tree::Bool(false)),
            ("network", text("ws")),
            (
                "ws-opts",
                Tree::object([("path", text("/x")), ("headers", Tree::object([]))]),
            ),
        ])
    });
    Tree::object([
        ("proxies", Tree::Array(proxies.collect())),
        ("sort", text("平均速度降序")),
        ("slave", Tree::object([("id", text("local"))])),
    ])
}

fn result(dice: &mut Dice, nodes: usize) -> Tree {
    let mut column = |cell: &mut dyn FnMut(&mut Dice, usize) -> Tree| {
        Tree::Array((0..nodes).map(|n| cell(dice, n)).collect())
    };
    let per_second = |dice: &mut Dice, _| Tree::Array((0..30).map(|_| dice.float(90_000_000)).collect());
    Tree::object([
        ("节点名称", column(&mut name)),
        (
            "类型",
            column(&mut |dice, _| dice.pick(&["Shadowsocks", "VMess", "Trojan", "VLESS"])),
        ),
        ("HTTP延迟", column(&mut |dice, _| dice.integer(900))),
        ("TLS RTT", column(&mut |dice, _| dice.float(400))),
        ("平均速度", column(&mut |dice, _| dice.float(90_000_000))),
        ("最大速度", column(&mut |dice, _| dice.float(90_000_000))),
        ("每秒速度", column(&mut { per_second })),
        (
            "UDP类型",
            column(&mut |dice, _| dice.pick(&["Full Cone", "Symmetric", "-"])),
        ),
        (
            "Netflix",
            column(&mut |dice, _| dice.pick(&["解锁(HK)", "仅自制", "失败", "N/A"])),
        ),
        (
            "ChatGPT",
            column(&mut |dice, _| dice.pick(&["解锁", "失败", "待解锁"])),
        ),
        (
            "落地地址",
            column(&mut |dice, _| dice.pick(&["203.0.113.7 AS65001 示例电信", "203.0.113.9 AS65002"])),
        ),
        ("DNS区域", column(&mut |dice, _| dice.pick(&REGIONS))),
    ])
}
