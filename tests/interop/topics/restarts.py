"""A service that ends and comes back between hooks: its policy holds meanwhile, and the next hook finds it.

Each framework closes its connections in its own way when it is told to end.
"""

from support.cases import GO_ON
from support.gateway import Gateway, configuration
from support.koipy import Answer
from support.payload import ON_MESSAGE
from support.services import start_services

# Of each service a path with nothing to say.
PATHS = {
    "aiohttp": "nothing",
    "flask": "ok",
    "fastapi": "points",
    "django": "ok",
    "node": "silent",
    "express": "silent",
}

CLOSED = "服务暂时不可用，请稍后再试"
POLICIES = {"reject": {"failure_message": CLOSED}, "continue": {}}
REFUSED = Answer(502, "text/plain; charset=utf-8", CLOSED.encode())


def run(report, processes):
    services = start_services(processes, PATHS)
    gateway = Gateway(processes, configured(services))
    for name, service in services.items():
        try_restarts(report, gateway, name, service)


def try_restarts(report, gateway, name, service):
    hooks = [f"{name}-{policy}" for policy in POLICIES]

    def answers():
        return [gateway.posts(f"/{hook}", ON_MESSAGE) for hook in hooks]

    report.equal(f"{name} is up", answers(), [GO_ON, GO_ON])
    service.end()
    service.start()
    report.equal(f"{name} restarted between two hooks", answers(), [GO_ON, GO_ON])
    service.end()
    report.equal(f"{name} is down: each by its policy", answers(), [REFUSED, GO_ON])
    service.start()
    report.equal(f"{name} is back", answers(), [GO_ON, GO_ON])
    failures = [gateway.count("koigate_backend_failures_total", hook) for hook in hooks]
    kinds = [[(labels["kind"], value) for labels, value in one] for one in failures]
    report.equal(f"{name}: one failed call each", kinds, [[("connect", 1)]] * 2)


def configured(services):
    backends, hooks = {}, {}
    for name, service in services.items():
        for policy, keys in POLICIES.items():
            backends[f"{name}-{policy}"] = {"url": service.url(PATHS[name]), "on_failure": policy} | keys
            hooks[f"{name}-{policy}"] = {"chain": [f"{name}-{policy}"]}
    return configuration(backends, hooks)
