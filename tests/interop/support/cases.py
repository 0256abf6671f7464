"""Cases as data: a chain of real services, a document, and all that has to come of it."""

from dataclasses import dataclass, field

from support import koipy
from support.gateway import Gateway, configuration
from support.koipy import Answer
from support.services import url

# What the shipped examples call a service that broke, and FastAPI's word for a body it didn't expect.
BROKEN = {"failure_statuses": ["5xx", 404, 422]}

GO_ON = Answer(204)


@dataclass(frozen=True)
class Itself:
    """The answer is what this service answers when it is asked without a gateway."""

    backend: str


@dataclass(frozen=True)
class Case:
    """One hook through a chain of its own. Backends are written `service/path`."""

    what: str
    chain: list
    document: bytes
    answer: Answer | Itself
    # Of each backend how many places it changed, and of each failure its kind.
    edits: dict = field(default_factory=dict)
    failures: dict = field(default_factory=dict)
    # At how many places two services disagreed.
    conflicts: int = 0
    # Keys of every backend of the chain, and of the hook.
    backends: dict = field(default_factory=dict)
    hook: dict = field(default_factory=dict)


def merged(document):
    """The answer that is a merged document."""
    return Answer(200, "application/json", document)


def members(chain):
    """The backends of a chain, stage by stage."""
    return [one for stage in chain for one in ([stage] if isinstance(stage, str) else stage)]


def try_cases(report, processes, services, cases):
    """Sends each case through one gateway that has all their chains."""
    backends, hooks = {}, {}
    for index, case in enumerate(cases):
        for member in members(case.chain):
            backends[named(member, index)] = {"url": url(services, member)} | case.backends
        hooks[f"case-{index}"] = {"chain": renamed(case.chain, index)} | case.hook
    gateway = Gateway(processes, configuration(backends, hooks))
    for index, case in enumerate(cases):
        try_case(report, services, gateway, f"case-{index}", case)
    report.equal("the gateway ends well", gateway.end(), 0)


def try_case(report, services, gateway, hook, case):
    answer = gateway.posts(f"/{hook}", case.document)
    expected = case.answer
    if isinstance(expected, Itself):
        service, path = expected.backend.split("/", 1)
        expected = koipy.post(services[service].port, f"/{path}", case.document)
    seen = {
        "answer": answer,
        "edits": counted(gateway, "koigate_edits_total", hook, case),
        "failures": counted(gateway, "koigate_backend_failures_total", hook, case),
        "conflicts": sum(value for _, value in gateway.count("koigate_merge_conflicts_total", hook)),
    }
    wanted = {
        "answer": expected,
        "edits": case.edits,
        "failures": case.failures,
        "conflicts": case.conflicts,
    }
    report.equal(case.what, seen, wanted)


def named(member, index):
    """A backend's name in the configuration: each case has its own."""
    return f"{member.replace('/', '-')}-{index}"


def renamed(chain, index):
    return [named(one, index) if isinstance(one, str) else renamed(one, index) for one in chain]


def counted(gateway, metric, hook, case):
    """A hook's series of a counter, by the backend as the case writes it (and the kind of failure)."""
    index = hook.removeprefix("case-")
    written = {named(member, index): member for member in members(case.chain)}
    found = {}
    for labels, value in gateway.count(metric, hook):
        backend = written[labels["backend"]]
        found[f"{backend} {labels['kind']}" if "kind" in labels else backend] = value
    return found
