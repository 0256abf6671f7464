"""The programs of a topic: started on ports of 127.0.0.1, ended by their ids whatever happens."""

import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Below Linux's range for outgoing connections (ip_local_port_range), so that none of those takes one first.
PORTS = range(20000, 32000)

# Seconds that a program may take to listen, and to end once told to.
START = 30
END = 10

# What free_port has returned so far: a port that is to stay closed is not another's later.
GIVEN = set()


def free_port():
    """A port that nobody listens on, another one every time."""
    for port in random.sample(PORTS, 100):
        if port in GIVEN:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            GIVEN.add(port)
            return port
    raise RuntimeError("no free port in a hundred")


def end_on_signals():
    """Makes SIGTERM and SIGHUP leave through every `finally`, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


class Process:
    """A started program. Its output goes to a file, of which the end is shown when something breaks."""

    def __init__(self, name, command, log, folder):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def await_port(self, port):
        """Waits until the program accepts connections."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.child.returncode} before it listened")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen on {port} after {START} s")

    def end(self):
        """Asks it to end, and makes it end; its exit status."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(END)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


class Processes:
    """All programs of a topic, and a temporary folder for them."""

    def __init__(self, program):
        self.program = program
        self.started = []

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="koigate-interop-")
        self.folder = pathlib.Path(self.temporary.name)
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.end()
        self.temporary.cleanup()

    def start(self, name, command, port):
        """Starts a program and waits until it listens on this port."""
        process = Process(name, command, self.folder / f"{name}.log", self.folder)
        self.started.append(process)
        process.await_port(port)
        return process

    def last_words(self):
        """The end of what each program printed."""
        ends = [(one.name, one.log.read_text(errors="replace")[-1500:]) for one in self.started]
        return "".join(f"\n[{name}]\n{text}" for name, text in ends if text)
