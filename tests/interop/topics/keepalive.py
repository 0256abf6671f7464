"""A server that closes idle connections just as the next hook is written: uvicorn, after one second.

A gateway that keeps connections meets this with every server there is. No hook may notice.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor

from support.cases import GO_ON
from support.gateway import Gateway, configuration
from support.payload import ON_MESSAGE
from support.services import start_services

# Twelve bursts of so many hooks, with about the server's patience between them: 204 hooks in 13 seconds.
BURSTS, HOOKS = 12, 17
PATIENCE = 1.0
# The pauses of one seed differ by so many seconds; uvicorn's own timers are that coarse.
SPREAD = 0.02


def run(report, processes):
    services = start_services(processes, ["fastapi-impatient"])
    backend = {"url": services["fastapi-impatient"].url("points"), "on_failure": "reject"}
    gateway = Gateway(processes, configuration({"points": backend}, {"onMessage": {"chain": ["points"]}}))
    chance = random.Random(5)
    answers = []
    with ThreadPoolExecutor(HOOKS) as bots:
        for _ in range(BURSTS):
            answers += bots.map(lambda _: gateway.posts("/", ON_MESSAGE), range(HOOKS))
            time.sleep(PATIENCE + chance.uniform(-SPREAD, SPREAD))
    report.equal(f"{len(answers)} hooks", answers, [GO_ON] * len(answers))
    report.equal("no failed call", gateway.count("koigate_backend_failures_total", "onMessage"), [])
    reused = gateway.total("koigate_connections_reused_total")
    opened = gateway.total("koigate_connections_opened_total")
    # Both happened, or the pauses were not around the patience at all.
    report.equal("connections were reused, and closed", (reused > HOOKS, opened > HOOKS), (True, True))
    print(f"     {opened} connections opened, {reused} calls on a kept one")
