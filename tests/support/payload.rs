//! Documents as the bot sends them, of any size. Every name, token and address is made up.

use super::python::{Value, json};

const REGIONS: [&str; 6] = ["🇭🇰 香港", "🇯🇵 日本", "🇸🇬 新加坡", "🇺🇸 美国", "🇹🇼 台湾", "🇩🇪 德国"];
const LINES: [&str; 3] = ["IEPL", "BGP", "直连"];
const KINDS: [&str; 6] = ["Shadowsocks", "Vmess", "Vless", "Trojan", "Hysteria2", "AnyTLS"];
const UNLOCK: [&str; 7] = [
    "解锁(HK)",
    "解锁(JP)",
    "解锁(US)",
    "失败",
    "仅自制剧",
    "N/A",
    "待解锁(SG)",
];
const SCRIPTS: [&str; 9] = [
    "Netflix", "Disney+", "Youtube", "OpenAI", "Claude", "Gemini", "TikTok", "Steam", "IP风险",
];

/// A text that Telegram cut in the middle of an emoji ends with half of a surrogate pair.
const MESSAGE: &str = r#"{
    "id": 48213,
    "from_user": {"id": 5381204417, "is_self": false, "is_contact": false, "is_bot": false,
        "first_name": "小明", "username": "xiaoming_test", "language_code": "zh-hans"},
    "date": "2026-11-24 10:22:31",
    "chat": {"id": -1001987654321, "type": "ChatType.SUPERGROUP", "title": "测速交流群 \ud83c",
        "username": "speedtest_group", "access_hash": -8765432109876543210},
    "reply_to_message": {"id": 48210, "text": "https://sub.example.net/api/v1/client/subscribe?token=8f1c"},
    "mentioned": false,
    "text": "/speed 香港 IPLC",
    "entities": [{"type": "MessageEntityType.BOT_COMMAND", "offset": 0, "length": 6}],
    "outgoing": false
}"#;

const CONFIG: &str = r#"{
    "license": "KOI-0000-EXAMPLE-LICENSE",
    "admin": [12345678, 5381204417],
    "bot": {"bot_token": "123456:EXAMPLE-BOT-TOKEN-DO-NOT-LEAK", "api_id": 1234567,
        "api_hash": "0123456789abcdef0123456789abcdef", "proxy": "socks5://user:pass@127.0.0.1:11112",
        "antiGroup": false, "strictMode": false, "cacheTime": 60, "echoLimit": 0.8},
    "webapi": {"enable": true, "address": "127.0.0.1:8899", "password": "example-web-password"},
    "image": {"title": "Koipy", "speedFormat": "byte/decimal",
        "watermark": {"enable": false, "angle": -16.0, "alpha": 16}},
    "runtime": {"pingURL": "https://www.gstatic.com/generate_204", "speedNodes": 300, "speedThreads": 4,
        "interval": 10},
    "slaveConfig": {"slaves": [
        {"id": "hk1", "comment": "香港后端", "type": "miaospeed", "address": "203.0.113.10:8765",
            "token": "example-slave-token", "tls": true},
        {"id": "jp1", "comment": "日本后端", "type": "miaospeed", "address": "203.0.113.20:8765",
            "token": "example-slave-token-2", "tls": true}
    ]}
}"#;

const DEFAULT_REQUEST: &str = r#"{
    "items": [],
    "task": {"url": "", "name": ""},
    "runtime": {"pingURL": "https://www.gstatic.com/generate_204", "speedNodes": 300, "speedThreads": 4,
        "sort": "订阅原序"},
    "proxies": []
}"#;

const FILLED_REQUEST: &str = r#"{
    "slave": {"id": "hk1", "comment": "香港后端", "type": "miaospeed", "address": "203.0.113.10:8765",
        "token": "example-slave-token", "tls": true,
        "option": {"downloadDuration": 8, "downloadThreading": 4, "pingAverageOver": 3, "taskRetry": 3}},
    "items": [],
    "task": {"url": "https://sub.example.net/api/v1/client/subscribe?token=8f1c", "name": "速度测试",
        "creator": 5381204417, "messageID": 48213, "chatID": -1001987654321, "botMsgID": 48214,
        "botMsgChatID": -1001987654321},
    "runtime": {"pingURL": "https://www.gstatic.com/generate_204", "speedNodes": 300, "speedThreads": 4,
        "sort": "订阅原序", "entrance": "ip"},
    "proxies": []
}"#;

/// How keys of several words are spelled outside `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// `from-user`, as newer releases write it.
    Kebab,
    /// `from_user`, as older ones do.
    Snake,
}

/// The document of a hook over a test of so many nodes, in the newer spelling.
pub(crate) fn payload(hook: &str, nodes: usize) -> Value {
    payload_with(hook, nodes, Keys::Kebab)
}

/// The document of a hook over a test of so many nodes.
pub(crate) fn payload_with(hook: &str, nodes: usize, keys: Keys) -> Value {
    let mut dice = Dice(7);
    let names: Vec<Value> = (0..nodes)
        .map(|index| node_name(&mut dice, index).into())
        .collect();
    let request = match hook {
        "onMessage" => json(DEFAULT_REQUEST),
        _ => slave_request(&mut dice, &names),
    };
    let mut document =
        json(r#"{"message": {}, "config": {}, "slaveRequest": {}, "result": {}, "addons": {}}"#);
    document
        .set("/message", restyled(json(MESSAGE), keys))
        .set("/config", restyled(json(CONFIG), keys))
        .set("/slaveRequest", restyled(request, keys));
    if hook == "onResult" {
        document.set("/result", result(&mut dice, names));
    }
    document
}

fn node_name(dice: &mut Dice, index: usize) -> String {
    let region = REGIONS[index % REGIONS.len()];
    format!(
        "{region} {:02} | {}",
        index / REGIONS.len() + 1,
        dice.choice(&LINES)
    )
}

fn slave_request(dice: &mut Dice, names: &[Value]) -> Value {
    let mut request = json(FILLED_REQUEST);
    let gofunc = |name: &str, rank: i64| item(name, "gofunc", name, rank);
    request
        .append("/items", gofunc("TEST_PING_RTT", -2))
        .append("/items", gofunc("TEST_PING_CONN", -1));
    for (rank, script) in (0..).zip(SCRIPTS) {
        request.append("/items", item("TEST_SCRIPT", "gojajs", script, rank));
    }
    request
        .append("/items", gofunc("SPEED_AVERAGE", 998))
        .append("/items", gofunc("SPEED_MAX", 999));
    let proxies = names
        .iter()
        .enumerate()
        .map(|(index, name)| proxy(dice, index, name));
    request.set("/proxies", Value::List(proxies.collect()));
    request
}

fn item(name: &str, kind: &str, script: &str, rank: i64) -> Value {
    let mut item = json(r#"{"name": "", "script": {"type": "", "name": "", "rank": 0}}"#);
    item.set("/name", name)
        .set("/script/type", kind)
        .set("/script/name", script)
        .set("/script/rank", rank);
    item
}

fn proxy(dice: &mut Dice, index: usize, name: &Value) -> Value {
    let mut proxy = json(r#"{"name": "", "type": "ss", "server": "", "port": 0, "cipher": "aes-128-gcm"}"#);
    let port = i64::try_from(20_000 + index).expect("a port");
    proxy
        .set("/name", name.clone())
        .set("/server", format!("node{index}.example.net"))
        .set("/port", port)
        .set("/password", format!("{:016x}{:016x}", dice.next(), dice.next()))
        .set("/udp", true);
    proxy
}

/// The table of results: every column as long as the first, one node that could not be measured.
fn result(dice: &mut Dice, names: Vec<Value>) -> Value {
    let nodes = names.len();
    let mut result = json("{}");
    result.set("/节点名称", Value::List(names));
    result.set("/类型", column(nodes, |_| (*dice.choice(&KINDS)).into()));
    result.set("/延迟RTT", column(nodes, |_| dice.between(8, 380).into()));
    result.set("/HTTP延迟", column(nodes, |_| dice.between(20, 900).into()));
    for script in SCRIPTS {
        result.set(
            &format!("/{script}"),
            column(nodes, |_| (*dice.choice(&UNLOCK)).into()),
        );
    }
    let unmeasured = nodes / 2;
    result.set(
        "/平均速度",
        column(nodes, |index| {
            if index == unmeasured {
                f64::NAN.into()
            } else {
                dice.speed().into()
            }
        }),
    );
    result.set("/最大速度", column(nodes, |_| dice.speed().into()));
    result.set(
        "/每秒速度",
        column(nodes, |_| {
            (0..8)
                .map(|_| dice.between(100_000, 90_000_000))
                .collect::<Vec<i64>>()
                .into()
        }),
    );
    result.set("/线程", 4_i64).set("/version", "4.5.6");
    result
}

fn column(nodes: usize, cell: impl FnMut(usize) -> Value) -> Value {
    Value::List((0..nodes).map(cell).collect())
}

/// The same value with its keys in this spelling.
fn restyled(value: Value, keys: Keys) -> Value {
    match value {
        Value::Dict(members) if keys == Keys::Kebab => {
            let kebab = members.into_iter().map(|(key, value)| {
                (
                    key.to_string().replace('_', "-").as_str().into(),
                    restyled(value, keys),
                )
            });
            Value::Dict(kebab.collect())
        }
        Value::List(elements) => Value::List(elements.into_iter().map(|e| restyled(e, keys)).collect()),
        other => other,
    }
}

/// Numbers that are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % (high - low).unsigned_abs()).expect("less than the range")
    }

    fn choice<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = self.between(0, i64::try_from(of.len()).expect("few"));
        &of[usize::try_from(index).expect("not negative")]
    }

    /// Bytes a second, with Python's six digits behind the point.
    fn speed(&mut self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let micros = self.between(100_000_000_000, 90_000_000_000_000) as f64;
        micros / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_bots_shape() {
        for (hook, nodes, keys) in [
            ("onMessage", 12, Keys::Kebab),
            ("onPreSend", 12, Keys::Snake),
            ("onResult", 300, Keys::Kebab),
        ] {
            let document = payload_with(hook, nodes, keys);
            assert_eq!(
                document.keys(),
                ["message", "config", "slaveRequest", "result", "addons"]
            );
            let user = if keys == Keys::Kebab {
                "from-user"
            } else {
                "from_user"
            };
            assert_eq!(document.at("/message").keys()[1], user);
            let proxies = if hook == "onMessage" { 0 } else { nodes };
            assert_eq!(document.at("/slaveRequest/proxies").elements().len(), proxies);
            let columns = document.at("/result").members().len();
            assert_eq!(columns, if hook == "onResult" { 18 } else { 0 });
        }
    }

    #[test]
    fn documents_hold_what_strict_parsers_refuse() {
        let spelled = payload("onResult", 12).dumps();
        for hard in [
            "NaN",
            r"\ud83c\udded",
            "\\ud83c\"",
            "-8765432109876543210",
            r#""\u8282\u70b9\u540d\u79f0": ["#,
        ] {
            assert!(spelled.contains(hard), "{hard}");
        }
        assert!(spelled.is_ascii());
        assert_eq!(json(&spelled).dumps(), spelled);
    }
}
