"""What one real service answers, alone behind the gateway: what the bot gets to see of it.

The replies are those that the frameworks make by themselves, not ones that were written to be odd.
"""

from support.cases import BROKEN, GO_ON, Case, Itself, try_cases
from support.koipy import Answer
from support.payload import NOT_A_NUMBER, ON_MESSAGE, ON_RESULT, SOUND, grown
from support.services import COMMANDS, start_services

# Each has nothing to say, in its framework's own way.
NOTHING = {
    "aiohttp/nothing": "200, application/json, no body",
    "aiohttp/ok": "200, no type, no body",
    "aiohttp/no-content": "204",
    "flask/ok": "200, text/html, no body",
    "flask/empty": "200, {}",
    "fastapi/points": "200, null",
    "django/ok": "200, text/html, no body",
    "node/bare": "200, no type, no body",
    "node/silent": "204",
    "express/silent": "204",
}

# Each carries one thing or refuses, and that passes as it is.
UNCHANGED = {
    "aiohttp/raises": "500, a text",
    "flask/poster": "a PNG labelled image/jpeg",
    "flask/refuse": "403, a picture",
    "flask/text": "a text",
    "flask/raises": "500, a page",
    "fastapi/text": "a text",
    "fastapi/model": "422, JSON",
    "django/text": "a text",
    "django/refuse": "403, text/html",
    "node/text": "a text without a charset, chunked",
    "express/file": "text/csv, attachment with filename*",
    "express/ok": "OK as text/plain",
    "express/refuse": "403, text/html",
    "express/send-file": "text/javascript, no file by its label",
}

# Each adds a column and sends the whole document back: the one JSON of the chain passes byte for byte.
COLUMNS = {
    "aiohttp/column": "Python's json",
    "flask/column": "keys sorted",
    "fastapi/column": "UTF-8, no spaces",
    "django/column": "Python's json",
    "node/column": "1.0 as 1, rounded IDs",
    "express/column": "1.0 as 1, rounded IDs",
}

# Each crashes: that is no refusal where the configuration says so.
CRASHES = ["aiohttp/raises", "flask/raises", "fastapi/model", "django/raises"]


def cases():
    for backend, how in NOTHING.items():
        yield Case(f"{backend} ({how}): go on", [backend], ON_MESSAGE, GO_ON)
    for backend, how in UNCHANGED.items():
        yield Case(f"{backend} ({how}): unchanged", [backend], ON_MESSAGE, Itself(backend))
    for backend, how in COLUMNS.items():
        document = SOUND if backend == "fastapi/column" else ON_RESULT
        yield Case(f"{backend} ({how}): unchanged", [backend], document, Itself(backend), edits={backend: 1})
    for backend in CRASHES:
        failures = {f"{backend} status": 1}
        yield Case(f"{backend}: a failure", [backend], ON_MESSAGE, GO_ON, failures=failures, backends=BROKEN)
    yield from refused_documents()


def refused_documents():
    """Documents that a framework refuses by itself before the service sees them."""
    yield Case(
        "node (JSON.parse) refuses NaN, and says 500",
        ["node/echo"],
        NOT_A_NUMBER,
        Answer(500, "text/plain", "SyntaxError: 无法解析".encode()),
    )
    yield Case("express refuses NaN with 400, which koipy ignores", ["express/echo"], NOT_A_NUMBER, GO_ON)
    for size, backend in [(150_000, "express/default-limit"), (1_500_000, "aiohttp-default/echo")]:
        document = grown(ON_RESULT, size)
        yield Case(
            f"{backend} refuses {size} bytes with 413, a refusal by the letter",
            [backend],
            document,
            Itself(backend),
        )
        yield Case(
            f"{backend} refuses {size} bytes with 413, a failure where 413 is one",
            [backend],
            document,
            GO_ON,
            failures={f"{backend} status": 1},
            backends={"failure_statuses": [413]},
        )
    large = grown(ON_RESULT, 3_000_000)
    yield Case("django refuses 3 MB with 400, which koipy ignores", ["django/echo"], large, GO_ON)
    for backend in ["aiohttp/echo", "flask/echo", "node/echo", "express/echo"]:
        yield Case(f"{backend}: 3 MB pass", [backend], large, Itself(backend))


def run(report, processes):
    services = start_services(processes, [name for name in COMMANDS if name != "fastapi-impatient"])
    try_cases(report, processes, services, list(cases()))
