"""Runs the topics, one after the other, and counts.

`run` starts this with the Python that has the packages, and the path of the gateway's program.
"""

import importlib
import pathlib
import sys
import time
import traceback

from support.processes import Processes, end_on_signals
from support.report import Report

# In this order; each is a module of topics/ whose `run(report, processes)` does it.
TOPICS = ["examples", "answers", "chains", "restarts", "keepalive", "serialisers", "prometheus", "signatures"]


def run_topic(name, report, program):
    begun = time.monotonic()
    print(f"\n-- {name}", flush=True)
    topic = importlib.import_module(f"topics.{name}")
    with Processes(program) as processes:
        try:
            topic.run(report, processes)
        except Exception:
            report.fails(f"{name} broke off", traceback.format_exc() + processes.last_words())
    print(f"   {time.monotonic() - begun:.1f} s", flush=True)


def main():
    program, *wanted = sys.argv[1:]
    unknown = [name for name in wanted if name not in TOPICS]
    if unknown:
        sys.exit(f"no topic {', '.join(unknown)}; there are {', '.join(TOPICS)}")
    end_on_signals()
    report = Report()
    for name in wanted or TOPICS:
        run_topic(name, report, pathlib.Path(program))
    print(f"\n{report.passed} passed, {report.failed} failed")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
