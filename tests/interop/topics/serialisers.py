"""An echo is no edit, whoever spells it: real serialisers read odd documents and write them again.

Beside each echo another service adds one column, so that the documents are merged and nothing passes as it
is. The answer has to be the bot's bytes with that one column; the echo must count no edit. What a serialiser
can't read or write is a failure with a known reason, and what it changes is an edit: both are listed here.
"""

import json
import pathlib
import sys

from serialisers.corpus import corpus
from support import koipy
from support.gateway import Gateway, configuration
from support.processes import free_port
from support.services import start_services

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "serialisers"

# Each needs so many documents that it echoes without any change, or the test shows nothing.
ENOUGH = 120

COLUMN = r'"\u500d\u7387": [1.0]'

# With which words a serialiser refuses a document that has a trait. Without words here, it has to take it.
PHP = {
    "NaN": ["Syntax error"],
    "overflow": ["Inf and NaN cannot be JSON encoded"],
    "long integer": ["Inf and NaN cannot be JSON encoded"],
    "half a pair": ["Single unpaired UTF-16 surrogate"],
    "BOM": ["Syntax error"],
}
REFUSALS = {
    "json": {},
    "simplejson": {"NaN": ["Expecting value"], "overflow": ["Out of range float values"]},
    "orjson": {
        "NaN": ["unexpected character", "no digit after sign"],
        "overflow": ["number is infinity"],
        "long integer": ["number is infinity"],
        "half a pair": ["surrogate in string"],
        "BOM": ["byte order mark"],
    },
    "node": {"NaN": ["Unexpected token", "No number after minus sign"], "BOM": ["Unexpected token"]},
    "php-assoc": PHP,
    "php-object": PHP | {"NUL key": ["property name is invalid"]},
    "lua": {
        "NaN": ["Cannot serialise number"],
        "overflow": ["Cannot serialise number"],
        "long integer": ["Cannot serialise number"],
        "half a pair": ["invalid unicode escape code"],
        "BOM": ["invalid token"],
    },
}


def fourteen_digits(value):
    """cjson writes numbers with 14 significant digits: what loses some is another number."""
    if isinstance(value, float):
        written = float(f"{value:.14g}")
        return written, int(written != value)
    return below(fourteen_digits, value)


def list_of_members(value):
    """PHP's arrays don't know whether the keys 0, 1, 2, ... were an object's."""
    if isinstance(value, dict) and value and list(value) == [str(index) for index in range(len(value))]:
        return list(value.values()), 1
    return below(list_of_members, value)


def below(change, value):
    """The same change in every member or element; the value then, and how many there were."""
    if isinstance(value, dict):
        changed = {key: change(one) for key, one in value.items()}
        return {key: one for key, (one, _) in changed.items()}, sum(count for _, count in changed.values())
    if isinstance(value, list):
        changed = [change(one) for one in value]
        return [one for one, _ in changed], sum(count for _, count in changed)
    return value, 0


# What a serialiser makes of a value that it takes: the value, and at how many places it is another one.
CHANGES = {"lua": fourteen_digits, "php-assoc": list_of_members}


def start(processes):
    """The URL of each serialiser's echo."""
    python, node, php = free_port(), free_port(), free_port()
    processes.start("python", [sys.executable, FOLDER / "python_echo.py", python], python)
    processes.start("node", ["node", FOLDER / "node_echo.js", node], node)
    processes.start("php", ["php", "-S", f"127.0.0.1:{php}", FOLDER / "php_echo.php"], php)
    return {
        "json": (python, "/json"),
        "simplejson": (python, "/simplejson"),
        "orjson": (python, "/orjson"),
        "node": (node, "/"),
        "php-assoc": (php, "/assoc"),
        "php-object": (php, "/object"),
        "lua": (python, "/lua"),
    }


def run(report, processes):
    services = start_services(processes, ["aiohttp"])
    echoes = start(processes)
    backends = {name: {"url": f"http://127.0.0.1:{port}{path}"} for name, (port, path) in echoes.items()}
    backends["column"] = {"url": services["aiohttp"].url("partial")}
    hooks = {name: {"chain": [[name, "column"]]} for name in echoes}
    gateway = Gateway(processes, configuration(backends, hooks, {"failure_statuses": ["5xx"]}))
    entries = list(corpus())
    report.equal("at least 200 documents", len(entries) >= 200, True)
    for name, at in echoes.items():
        try_serialiser(report, gateway, Echo(name, at), entries)


class Echo:
    """One serialiser's echo, and what it has been seen to do."""

    def __init__(self, name, at):
        self.name = name
        self.port, self.path = at
        self.edits = 0
        self.seen = {"unchanged": 0, "refused": 0, "changed": 0}

    def refusal(self, entry):
        """With which words it may refuse the document; none if it has to take it."""
        by_trait = REFUSALS[self.name].items()
        return [one for trait, words in by_trait if trait in entry.traits for one in words]

    def new_edits(self, gateway):
        """How many edits the last hook brought."""
        before = self.edits
        counted = gateway.count("koigate_edits_total", self.name)
        self.edits = sum(value for labels, value in counted if labels["backend"] == self.name)
        return self.edits - before


def try_serialiser(report, gateway, echo, entries):
    for entry in entries:
        answer = gateway.posts(f"/{echo.name}", entry.document)
        edits = echo.new_edits(gateway)
        if words := echo.refusal(entry):
            what = "refused"
            found, expected = refusal(echo, entry, answer, edits, words)
        else:
            what, found, expected = comparison(echo, entry, answer, edits)
        echo.seen[what] += 1
        if found != expected:
            report.equal(f"{echo.name}: {entry.name} is {what}", found, expected)
    counts = ", ".join(f"{count} {what}" for what, count in echo.seen.items())
    failures = gateway.count("koigate_backend_failures_total", echo.name)
    failed = sum(value for _, value in failures)
    report.equal(f"{echo.name}: {counts}", failed, echo.seen["refused"])
    report.equal(f"{echo.name}: enough of them unchanged", echo.seen["unchanged"] >= ENOUGH, True)


def refusal(echo, entry, answer, edits, words):
    """The echo fails in its known words; the other service's partial document is the answer."""
    itself = koipy.post(echo.port, echo.path, entry.document)
    said = itself.body.decode()
    known = "a known reason"
    reason = known if any(one in said for one in words) else said
    return (itself.status, reason, answer.body, edits), (500, known, partial(), 0)


def partial():
    return f'{{"result": {{{COLUMN}}}}}'.encode()


def comparison(echo, entry, answer, edits):
    """The bytes of the answer where nothing changed; its values where the serialiser changes some."""
    whole = entry.with_member(COLUMN)
    change = CHANGES.get(echo.name, lambda value: (value, 0))
    value, changes = change(json.loads(whole, parse_int=float))
    if changes == 0:
        return "unchanged", (edits, answer.status, answer.body), (0, 200, whole)
    found = json.loads(answer.body, parse_int=float)
    return "changed", (edits, answer.status, found), (changes, 200, value)
