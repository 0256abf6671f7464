"""Documents as koipy posts them: Python's `json.dumps`, with everything in them that is hard to carry."""

import json

NAMES = ["🇭🇰 香港 IPLC 01", "🇯🇵 日本 02", "US / 美国 \\ 03", "剩余流量：128 GB"]

MESSAGE = {
    "id": 48213,
    "from-user": {
        "id": 5381204417,
        "is-bot": False,
        "first-name": "小明",
        "access-hash": -8412638123782378123,
    },
    "date": "2026-11-24 10:22:31",
    "chat": {"id": -1001987654321, "type": "ChatType.SUPERGROUP", "title": "测速交流群 😀"},
    # Telegram cut the text in the middle of an emoji.
    "text": "/speed 香港 IPLC \ud83c",
    "entities": [{"type": "MessageEntityType.BOT_COMMAND", "offset": 0, "length": 6}],
    "outgoing": False,
}

CONFIG = {
    "license": "KOI-0000-EXAMPLE",
    "bot": {"bot-token": "123456:EXAMPLE-BOT-TOKEN", "api-id": 1234567, "proxy": None, "echoLimit": 0.8},
    "image": {"title": "Koipy", "watermark": {"angle": -16.0, "alpha": 16}},
    "runtime": {"speedNodes": 300, "interval": 10},
}

EMPTY_REQUEST = {"items": [], "task": {"url": "", "name": ""}, "runtime": {}, "proxies": []}

REQUEST = {
    "slave": {"id": "jp1", "comment": "日本后端"},
    "items": ["RTT", "Netflix", "speed"],
    "task": {"url": "https://sub.example.net/?token=8f1c", "name": "订阅"},
    "runtime": {"speedThreads": 4, "sort": "订阅原序"},
    "proxies": [{"name": name, "server": "192.0.2.1", "port": 443, "password": "p"} for name in NAMES],
}

# Its order is the order of the drawn columns, and no alphabet's.
RESULT = {
    "节点名称": NAMES,
    "类型": ["ss", "vmess", "trojan", "ss"],
    "延迟RTT": [35, 1.0, 0, 241.5],
    "Netflix": ["解锁(HK)", "失败", "N/A", None],
    "平均速度": [12582912.0, 0.0, 1e22, 98304.25],
    "每秒速度": [[1, 2, 3], [], [0], [4, 5]],
    "线程": 4,
    "version": "1.11.5",
}


def dumps(**members):
    """A document with these members; the others as they are when a message has arrived."""
    empty = {"message": MESSAGE, "config": CONFIG, "slaveRequest": EMPTY_REQUEST, "result": {}, "addons": {}}
    return json.dumps(empty | members).encode()


def message(user):
    """An onMessage document of another user."""
    sender = MESSAGE["from-user"] | {"id": user}
    return dumps(message=MESSAGE | {"from-user": sender})


ON_MESSAGE = dumps()
ON_PRE_SEND = dumps(slaveRequest=REQUEST)
ON_RESULT = dumps(slaveRequest=REQUEST, result=RESULT)

# The same without the half emoji, which some serialisers refuse to write.
SOUND = ON_RESULT.replace(b'\\ud83c"', b'"')

# A test of a node that never answered: a mean of nothing.
NOT_A_NUMBER = SOUND.replace(b"12582912.0", b"NaN")


def grown(document, size):
    """The document with a result of about so many bytes."""
    column = json.dumps(["x" * 1000] * (size // 1000))
    return document.replace(b'"result": {', f'"result": {{"log": {column}, '.encode())


def with_columns(document, *members):
    """The document with these members, as they are spelled, at the end of its result."""
    added = "".join(f",{member}" for member in members)
    return document.replace(b'"version": "1.11.5"', f'"version": "1.11.5"{added}'.encode())
