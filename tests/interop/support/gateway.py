"""The real gateway: a configuration written out, the program started on it, its metrics read."""

import json
import re
import time
import urllib.error
import urllib.request

from support import koipy
from support.processes import START, free_port

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Gateway:
    """A running gateway with a configuration given as text, without its [server] and [admin] tables."""

    def __init__(self, processes, configuration):
        self.port, self.admin = free_port(), free_port()
        listeners = (
            f'[server]\nlisten = "127.0.0.1:{self.port}"\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n'
        )
        file = processes.folder / f"koigate-{self.port}.toml"
        file.write_text(listeners + configuration)
        command = [processes.program, "run", "--config", file]
        self.process = processes.start(f"koigate-{self.port}", command, self.port)
        self.await_ready()

    def await_ready(self):
        deadline = time.monotonic() + START
        while True:
            try:
                return self.get("/readyz")
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def posts(self, path, document):
        return koipy.post(self.port, path, document)

    def get(self, path):
        """The text at a path of the admin address."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as response:
            return response.read().decode()

    def count(self, name, hook):
        """A counter's series of one hook that aren't 0: the labels, and the value."""
        series = self.series(name)
        return [(labels, value) for labels, value in series if labels.get("hook") == hook and value]

    def total(self, name):
        """A counter, over all its labels."""
        return sum(value for _, value in self.series(name))

    def series(self, name):
        """The series of a counter: the labels, and the value."""
        samples = (SAMPLE.fullmatch(line) for line in self.get("/metrics").splitlines())
        return [(dict(LABEL.findall(one[2] or "")), int(one[3])) for one in samples if one and one[1] == name]

    def end(self):
        """Stops it as an operator does; its exit status."""
        return self.process.end()


def configuration(backends, hooks, defaults=None):
    """A configuration's text: of each backend and hook its keys."""
    tables = {"defaults": defaults or {}}
    tables |= {f"backends.{name}": keys for name, keys in backends.items()}
    tables |= {f"hooks.{name}": keys for name, keys in hooks.items()}
    return "\n".join(table(name, keys) for name, keys in tables.items())


def table(name, keys):
    # TOML's strings, numbers and arrays are written as JSON's are.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    return "\n".join([f"[{name}]", *lines, ""])
