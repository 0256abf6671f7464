"""What is measured, line by line: each function takes the bench and says what it found as lines of Markdown."""

import statistics
import time

from picture import Panel

OURS, LUA = "Koigate", "nginx + Lua"


class Effort:
    """How long and how often."""

    def __init__(self, seconds, rounds, short):
        self.seconds = seconds
        self.rounds = rounds
        self.short = short


def table(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(row) + " |" for row in rows] + [""]


def ratio(one, other):
    return f"{one / other:.2f}×" if other else "–"


# The lines of hooks a second: services, hook, document, connections.
HOOKS = [
    (1, "204", "3k", 64),
    (3, "204", "3k", 64),
    (3, "204", "40k", 64),
    (3, "reject", "3k", 64),
    (3, "patch-200k", "200k", 16),
    (3, "echo-200k", "200k", 16),
    (3, "echo-2m", "2m", 4),
    (3, "mixed-2m", "2m", 4),
    (3, "close", "3k", 64),
]


def hooks(bench, peers, effort):
    """Requests a second and CPU time a request, beside the peers and beside what the machine can do at all."""
    lines = []
    for services, hook, document, connections in HOOKS:
        yardstick = [bench.direct] if hook in ("204", "reject") else []
        load = (hook, document, connections)
        found = bench.starts(peers, services, load, effort.seconds, effort.rounds, yardstick)
        direct = found.pop(bench.direct.name, None)
        lua = found.get(LUA)
        for name, one in found.items():
            share = one["rate"] * (services + 1) / direct["rate"] if direct else None
            lines.append(
                [
                    f"{services} × {hook}, {document}",
                    name,
                    f"{one['rate']:.0f}",
                    ratio(one["rate"], lua and lua["rate"]),
                    f"{share:.2f}" if share else "–",
                    f"{one['cpu']:.0f}",
                    ratio(one["cpu"], lua and lua["cpu"]),
                    f"{one['p50_ms']:.2f}",
                    f"{one['p99_ms']:.2f}",
                    f"{one['errors']}",
                ]
            )
    head = ["services × reply, document", "who", "hooks/s", "÷ Lua", "of the yardstick", "CPU µs", "÷ Lua"]
    head += ["p50 ms", "p99 ms", "errors"]
    text = (
        "The yardstick is what one service answers by itself, divided by the exchanges that a hook takes: one with "
        "the caller and one with each service, on the same cores."
    )
    return ["## Hooks", "", text, "", *table(head, lines)], []


def first_reject(bench, peers, effort):
    """One service refuses at once and two take 200 ms: how long a caller waits, beside that service alone."""
    found = {}
    for services, hook in ((1, "reject"), (3, "first-reject")):
        asking = [peer for peer in peers if peer.serves(range(3))]
        with bench.gateways(asking, services) as targets:
            for name, one in bench.rounds(targets, hook, "3k", 1, effort.seconds, effort.rounds).items():
                found.setdefault(name, []).append(one["p50_ms"])
    lines = [[name, f"{alone:.3f}", f"{three:.3f}", ratio(three, alone)] for name, (alone, three) in found.items()]
    head = ["who", "p50 ms with the fast service alone", "with two slow ones beside it", "ratio"]
    return ["## The first reject, while two services are slow", "", *table(head, lines)], []


def memory(bench, peers, effort):
    """What is resident: under two loads, and when a burst of callers has left."""
    seconds = effort.seconds * 2
    lines = []
    for text, services, hook, document, connections in [
        ("64 connections, 3 KB", 3, "204", "3k", 64),
        ("8 connections, four echoes of 2 MB", 4, "echo-2m", "2m", 8),
        ("a burst of 2,000 connections", 3, "204", "3k", 2000),
    ]:
        with bench.gateways(peers[:1], services) as [ours]:
            before = ours.resident()
            one = bench.measure(ours, hook, document, connections, seconds)
            during = ours.resident()
            time.sleep(1 if effort.short else 15)
            figures = [f"{mib:.0f}" for mib in (before, during, ours.resident())]
            lines.append([text, *figures, f"{one['errors']}"])
    head = ["load", "MiB before", "MiB at its end", "MiB 15 s later", "errors"]
    return ["## Memory", "", *table(head, lines)], []


def neighbours(bench, peers, effort):
    """Hooks of 3 KB by themselves, and while something heavy goes on that they have no part in.

    That takes time from them on the same cores whatever the gateway does; so they are also measured while another
    gateway, a process of its own, has the heavy load.
    """
    lines = []
    for text, apart, hook, document, connections in [
        ("hooks that wait a second for a fifth service", 5, "slow", "3k", 64),
        ("merges of three echoes of 8 MB", 3, "echo-8m", "8m", 1),
        ("hooks of 3 KB that three services answer with 8 MB", 3, "echo-8m", "3k", 1),
    ]:
        with bench.gateways([peers[0].parted()] * 2, 4, apart) as [ours, other]:

            def late(burdened):
                if burdened:
                    heavy = bench.callers(burdened, hook, document, connections, effort.seconds + 1)
                    time.sleep(0.5)
                one = bench.measure(ours, "few", "3k", 8, effort.seconds)
                if burdened:
                    bench.seen(heavy, burdened, hook)
                return one["p99_ms"]

            rounds = [[late(burdened) for burdened in (None, other, ours)] for _ in range(effort.rounds)]
        alone, elsewhere, here = (statistics.median(times) for times in zip(*rounds))
        figures = [f"{millis:.2f}" for millis in (alone, elsewhere, here)]
        lines.append([text, *figures, ratio(here, alone), ratio(here, elsewhere)])
    head = ["beside", "p99 ms alone", "the other process has that", "the same has", "÷ alone", "÷ the other"]
    text = "Eight callers of 3 KB hooks with 204s from four services, which nobody else asks."
    return ["## Neighbours", "", text, "", *table(head, lines)], []


def growth(bench, peers, effort):
    """Curves, and the same as a table."""
    seconds, rounds = (effort.seconds, 1) if effort.short else (effort.seconds, max(effort.rounds // 2, 1))
    peers = [peer for peer in peers if peer.name in (OURS, LUA)]

    def curves(points, of):
        """For each peer what `of` makes of the figures at each point: services, hook, document, connections."""
        found = {peer.name: [] for peer in peers}
        for across, label, services, hook, document, connections in points:
            with bench.gateways(peers, services) as targets:
                for name, one in bench.rounds(targets, hook, document, connections, seconds, rounds).items():
                    # Who gives wrong answers is fast in vain.
                    if not one["errors"]:
                        found[name].append((across, label, of(one)))
        return found

    many = [1, 3, 20] if effort.short else [1, 2, 3, 5, 8, 12, 20]
    connections = [1, 64, 1024] if effort.short else [1, 8, 64, 256, 1024]
    sizes = ["3k", "200k", "2m"] if effort.short else ["3k", "40k", "200k", "2m", "8m"]
    shares = [0, 100] if effort.short else [0, 25, 50, 75, 100]
    at_once = {"3k": 64, "40k": 32, "200k": 16, "2m": 4, "8m": 2}
    panels = [
        Panel(
            "Services at once (3 KB, 204)",
            "services",
            "CPU µs a hook",
            curves([(n, str(n), n, "204", "3k", 64) for n in many], lambda one: one["cpu"]),
            is_to_scale=True,
        ),
        Panel(
            "Callers (3 services, 3 KB, 204)",
            "connections",
            "hooks a second",
            curves([(n, f"{n:,}", 3, "204", "3k", n) for n in connections], lambda one: one["rate"]),
        ),
        Panel(
            "Size (3 echoes, a column each)",
            "document",
            "CPU ms a hook",
            curves(
                [(n, size, 3, f"echo-{size}", size, at_once[size]) for n, size in enumerate(sizes)],
                lambda one: one["cpu"] / 1000,
            ),
            is_logarithmic=True,
        ),
        Panel(
            "Rejects (3 services, 3 KB)",
            "% of hooks",
            "hooks a second",
            curves([(n, f"{n}", 3, f"reject-{n}", "3k", 64) for n in shares], lambda one: one["rate"]),
            is_to_scale=True,
        ),
    ]
    lines = []
    for panel in panels:
        for name, curve in panel.curves.items():
            points = ", ".join(f"{label}: {value:.3g}" for _, label, value in curve)
            lines.append([panel.title, panel.up, name, points])
    return ["## Growth", "", *table(["what grows", "what is measured", "who", "figures"], lines)], panels


ALL = {
    "hooks": hooks,
    "first-reject": first_reject,
    "memory": memory,
    "neighbours": neighbours,
    "growth": growth,
}
