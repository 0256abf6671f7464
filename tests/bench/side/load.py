"""Services, gateways in front of them, load on both, and what it costs."""

import collections
import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import time

from peers import ANSWERS

TICKS = os.sysconf("SC_CLK_TCK")


def free_ports(many):
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(many)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def start(command, log, out=None):
    """A process of ours."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out or log, stderr=log)


def allow_connections():
    """As many descriptors as the system allows, for this process and those that it starts."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listens(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False


def family(pid):
    """A process and its descendants."""
    found, rest = [], [pid]
    while rest:
        one = rest.pop()
        found.append(one)
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                rest += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid):
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_mib(pid):
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError, TypeError):
            status = pathlib.Path(f"/proc/{one}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+)", status)[1])
    return total / 1024


class Target:
    """Somebody who answers hooks: a gateway in front of services, or the first service itself."""

    def __init__(self, name, port, process=None):
        self.name = name
        self.port = port
        self.process = process

    def resident(self):
        return resident_mib(self.process.pid)

    def stop(self):
        if self.process is None:
            return
        children = family(self.process.pid)[1:]
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        for one in children:
            with contextlib.suppress(OSError):
                os.kill(one, 9)
        self.process.kill()
        self.process.wait()


class Bench:
    """The services, and the program that makes load."""

    def __init__(self, program, folder):
        self.program = str(program)
        self.folder = folder
        self.log = open(folder / "log", "ab")
        # Hooks that each of the gateways owed an answer, or the right one.
        self.errors = collections.Counter()
        # Two processes, so that a hook's services can be busy without those of another.
        self.ports, self.apart = [], []
        self.services = []
        for ports in (self.ports, self.apart):
            ports += free_ports(10)
            process = start([self.program, "services", *map(str, ports)], self.log)
            self.services.append(Target("services", ports[0], process))
            if not listens(ports[-1], process):
                sys.exit("the services don't start")
        self.direct = Target("one service itself", self.ports[0])

    def close(self):
        for services in self.services:
            services.stop()
        self.log.close()

    @contextlib.contextmanager
    def gateways(self, peers, many, apart=0):
        """Each of these peers that can ask so many services, in front of them; and of those apart so many."""
        targets = []
        asked = (self.ports + self.apart)[:many] + self.apart[:apart]
        try:
            for peer in peers:
                if not peer.serves(asked):
                    continue
                [port] = free_ports(1)
                process = start(peer.command(self.folder, port, asked), self.log)
                targets.append(Target(peer.name, port, process))
                if not listens(port, process):
                    log = (self.folder / "log").read_text(errors="replace")
                    sys.exit(f"{peer.name} doesn't start:\n{log[-1500:]}")
            yield targets
        finally:
            for target in targets:
                target.stop()

    def callers(self, target, hook, document, connections, seconds):
        command = [self.program, "callers", "--to", f"127.0.0.1:{target.port}", "--path", f"/{hook}"]
        command += ["--document", document, "--connections", str(connections), "--seconds", str(seconds)]
        return start(command, self.log, subprocess.PIPE)

    def seen(self, callers, target, hook):
        """What callers saw. Answers that are none of the hook's count as errors."""
        out, _ = callers.communicate()
        if callers.returncode != 0:
            sys.exit(f"no load on {target.name} could be made")
        seen = json.loads(out)
        wrong = sum(many for status, many in seen["statuses"].items() if int(status) not in ANSWERS[hook])
        seen["errors"] += wrong
        self.errors[target.name] += seen["errors"]
        return seen

    def measure(self, target, hook, document, connections, seconds):
        """One round of load: hooks a second, their CPU time in microseconds, latencies."""
        before = cpu_seconds(target.process.pid) if target.process else 0
        seen = self.seen(self.callers(target, hook, document, connections, seconds), target, hook)
        spent = cpu_seconds(target.process.pid) - before if target.process else 0
        answers = max(seen["answers"], 1)
        return {
            "rate": seen["answers"] / seen["seconds"],
            "cpu": spent / answers * 1e6,
            "errors": seen["errors"],
            **{name: seen[name] for name in ("p50_ms", "p99_ms")},
        }

    def starts(self, peers, services, load, seconds, rounds, beside=()):
        """Medians of rounds, for each of which everybody is started anew: what a hook takes differs more from one start
        to the next than from round to round (nginx with Lua: 54 to 80 us in nine starts).

        `load` is hook, document, connections.
        """
        taken = {}
        for nth in range(rounds):
            with self.gateways(peers, services) as targets:
                everybody = [*beside, *targets]
                for target in everybody:
                    self.measure(target, *load, min(seconds, 1))
                for target in everybody if nth % 2 == 0 else reversed(everybody):
                    taken.setdefault(target.name, []).append(self.measure(target, *load, seconds))
        return {target.name: median(taken[target.name]) for target in everybody}

    def rounds(self, targets, hook, document, connections, seconds, rounds):
        """Medians of rounds that alternate between the targets, after one that warms them up."""
        for target in targets:
            self.measure(target, hook, document, connections, min(seconds, 1))
        taken = {target.name: [] for target in targets}
        for nth in range(rounds):
            for target in targets if nth % 2 == 0 else reversed(targets):
                taken[target.name].append(self.measure(target, hook, document, connections, seconds))
        return {name: median(of_target) for name, of_target in taken.items()}


def median(rounds):
    figures = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return figures | {"errors": sum(one["errors"] for one in rounds)}
