"""Several real services behind one URL: what they bring becomes one answer, byte for byte as it has to be.

A service here sends the whole document back in its own serialiser's spelling. What it really changed counts,
and nothing else: the rest of the answer is the bot's own bytes.
"""

import base64
import json
import sys

from support import payload
from support.cases import GO_ON, Case, Itself, merged, try_cases
from support.gateway import Gateway, configuration
from support.koipy import Answer
from support.payload import NOT_A_NUMBER, ON_MESSAGE, ON_PRE_SEND, ON_RESULT, SOUND, message, with_columns
from support.services import FOLDER, start_services, url

sys.path.append(str(FOLDER))
from pictures import png  # noqa: E402  (the services' own)

# The column that each service adds to a result of four nodes, as its serialiser spells it.
COLUMNS = {
    "aiohttp/column": r'"\u500d\u7387": [1.0, 1.0, 1.0, 1.0]',
    "flask/column": r'"\u8bc4\u7ea7":["A","A","A","A"]',
    "fastapi/column": '"出口":["HK","HK","HK","HK"]',
    "django/column": r'"\u5907\u6ce8": ["\ud83d\ude00", "\ud83d\ude00", "\ud83d\ude00", "\ud83d\ude00"]',
    "node/column": '"丢包":[0,0,0,0]',
    "express/column": '"地区":["香港","香港","香港","香港"]',
}

ECHOES = [
    "aiohttp/echo",
    "flask/echo",
    "fastapi/echo",
    "fastapi/orjson",
    "django/echo",
    "node/echo",
    "express/echo",
]

DOCUMENTS = {"half an emoji": ON_RESULT, "no half emoji": SOUND, "NaN": NOT_A_NUMBER}

# Which echo can't read or write which document, and what the call comes to: `None` is ignored.
UNABLE = {
    ("fastapi/echo", "half an emoji"): "status",  # no UTF-8 for it: it raises
    ("fastapi/orjson", "half an emoji"): "status",  # orjson refuses to read it
    ("fastapi/orjson", "NaN"): "status",
    ("fastapi/echo", "NaN"): "status",  # Starlette's JSONResponse raises
    ("node/echo", "NaN"): "status",
    ("express/echo", "NaN"): None,  # 400
}

SERVICES = ["aiohttp", "flask", "fastapi", "django", "node", "express"]

# koipy's user who is on the blacklist, who has no points, and who may test.
BLACKLISTED, POOR, WELCOME = 6601234567, 7701234567, 5381204417

# As the README has them.
CHAINS = {
    "onMessage": {"chain": [["blacklist", "points"]]},
    "onPreSend": {"chain": ["router", "limits"]},
    "onResult": {"chain": [["columns", "more"], "rank"]},
    "posters": {"chain": [["poster", "columns"]]},
}
BACKENDS = {
    "blacklist": "aiohttp/blacklist",
    "points": "fastapi/points",
    "router": "aiohttp/router",
    "limits": "django/echo",
    "columns": "flask/column",
    "more": "node/column",
    "rank": "express/column",
    "poster": "flask/poster",
}


def echoes():
    """An echo is no edit, whoever spells it: only the column of the service beside it is added."""
    column = "django/column"
    for name, document in DOCUMENTS.items():
        expected = merged(with_columns(document, COLUMNS[column]))
        for echo in ECHOES:
            failures = {}
            if (kind := UNABLE.get((echo, name))) is not None:
                failures = {f"{echo} {kind}": 1}
            able = (echo, name) not in UNABLE
            # With one JSON reply alone there is nothing to merge: it passes as it is.
            answer = expected if able else Itself(column)
            yield Case(
                f"{echo} of {name}: {'no edit' if able else 'refused'}",
                [[echo, column]],
                document,
                answer,
                edits={column: 1},
                failures=failures,
                backends={"failure_statuses": ["5xx"]},
            )
    together = [ECHOES]
    yield Case("all echoes together: the bot's own bytes", together, SOUND, merged(SOUND))


def columns():
    everyone = list(COLUMNS)
    one_each = dict.fromkeys(everyone, 1)
    whole = merged(with_columns(SOUND, *COLUMNS.values()))
    yield Case("six services each add a column, together", [everyone], SOUND, whole, edits=one_each)
    # The later of them repeat the columns of the earlier in their own spelling.
    yield Case("six services each add a column, in turn", everyone, SOUND, whole, edits=one_each)
    backwards = everyone[::-1]
    whole = merged(with_columns(SOUND, *(COLUMNS[one] for one in backwards)))
    yield Case("configured order is the order of the columns", [backwards], SOUND, whole, edits=one_each)


def attachments():
    text = "text/plain; charset=utf-8"
    yield Case(
        "three services' texts become one",
        [["flask/text", "fastapi/text", "node/text"]],
        ON_MESSAGE,
        Answer(200, text, "测试完成\n积分 -1\nok 👌".encode()),
    )
    yield Case("a reject of a picture", [["flask/refuse", "aiohttp/ok"]], ON_MESSAGE, Itself("flask/refuse"))
    yield Case(
        "a reject ends the chain", ["django/refuse", "aiohttp/column"], ON_RESULT, Itself("django/refuse")
    )


def conflicts():
    """Two services that run at the same time route one test to two slaves: id and comment, two places."""
    stage = [["aiohttp/router", "node/router"]]
    two_each = dict.fromkeys(stage[0], 2)
    last = merged(routed(r'"sg1"', '"新加坡"'))
    first = merged(routed(r'"hk1"', r'"\u9999\u6e2f\u540e\u7aef"'))
    for on_conflict, answer in [("last", last), ("first", first)]:
        yield Case(
            f"two routers: {on_conflict} wins",
            stage,
            ON_PRE_SEND,
            answer,
            edits=two_each,
            conflicts=2,
            hook={"on_conflict": on_conflict},
        )
    # One after the other they agree: the later has seen what the earlier wrote.
    yield Case("two routers in turn", stage[0], ON_PRE_SEND, last, edits=two_each)


def routed(identity, comment):
    """The onPreSend document for another slave, in a service's spelling."""
    slave = json.dumps(payload.REQUEST["slave"])
    return ON_PRE_SEND.replace(slave.encode(), f'{{"id": {identity}, "comment": {comment}}}'.encode())


def try_the_readmes_chains(report, processes, services):
    """One URL for every hook; the kind is in the document."""
    backends = {name: {"url": url(services, at)} for name, at in BACKENDS.items()}
    gateway = Gateway(processes, configuration(backends, CHAINS))
    for what, path, document, answer in [
        ("goes on", "/", message(WELCOME), GO_ON),
        (
            "is on the blacklist",
            "/",
            message(BLACKLISTED),
            Answer(403, "text/plain; charset=utf-8", "你已被加入黑名单".encode()),
        ),
        (
            "has no points",
            "/",
            message(POOR),
            Answer(403, "application/json", '{"detail":"积分不足"}'.encode()),
        ),
        (
            "is routed",
            "/onPreSend",
            ON_PRE_SEND,
            merged(routed(r'"hk1"', r'"\u9999\u6e2f\u540e\u7aef"')),
        ),
        (
            "has three columns more",
            "/",
            ON_RESULT,
            merged(
                with_columns(
                    ON_RESULT, COLUMNS["flask/column"], COLUMNS["node/column"], COLUMNS["express/column"]
                )
            ),
        ),
    ]:
        report.equal(f"the README's chains: {what}", gateway.posts(path, document), answer)
    try_a_picture_beside_a_column(report, gateway)


def try_a_picture_beside_a_column(report, gateway):
    answer = gateway.posts("/posters", ON_RESULT)
    document = json.loads(answer.body)
    picture = {
        "backend": "poster",
        "content_type": "image/jpeg",
        "filename": None,
        "data": base64.b64encode(png(40, 30)).decode(),
    }
    expected = json.loads(with_columns(ON_RESULT, COLUMNS["flask/column"]))
    expected["addons"] = {"koigate": {"images": [picture], "texts": [], "files": []}}
    # Written again, so that the order of keys counts.
    report.equal("a picture beside a column", json.dumps(document), json.dumps(expected))


def run(report, processes):
    services = start_services(processes, SERVICES)
    cases = [*echoes(), *columns(), *attachments(), *conflicts()]
    try_cases(report, processes, services, cases)
    try_the_readmes_chains(report, processes, services)
