"""A real Prometheus scrapes the gateway while hooks end in every way, and answers for each metric.

`promtool check metrics` reads the same text and has to find nothing to say.
"""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from support.gateway import Gateway, configuration
from support.koipy import post
from support.payload import ON_MESSAGE, ON_PRE_SEND, ON_RESULT, message
from support.processes import free_port
from support.services import start_services, url

CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: koigate
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

# Seconds until everything that was counted has been scraped.
PATIENCE = 20

BACKENDS = {
    "blacklist": "aiohttp/blacklist",
    "points": "fastapi/points",
    "raises": "aiohttp/raises",
    "router": "aiohttp/router",
    "second-router": "node/router",
    "columns": "flask/column",
    "list": "node/list",
    "poster": "flask/poster",
    "second-poster": "flask/poster",
    "text": "django/text",
    "confined": "flask/column",
    "mute": "django/text",
}

# What keeps a backend to its place, so that it is denied something.
GUARDS = {
    "confined": {"may_change": ["/message"]},
    "mute": {"may": ["reject"]},
}

HOOKS = {
    "onMessage": [["blacklist", "points", "raises", "gone"]],
    "onPreSend": [["router", "second-router"]],
    "onResult": ["columns", "list"],
    "posters": [["poster", "second-poster", "text"]],
    "guarded": [["confined", "mute"]],
}

# For each metric of the contract a question that has an answer once every hook has run.
QUESTIONS = {
    "koigate_hooks_total": 'koigate_hooks_total{hook="onMessage", verdict="reject"} > 0',
    "koigate_hook_duration_seconds": (
        "histogram_quantile(0.99, sum by (le) (rate(koigate_hook_duration_seconds_bucket[1m]))) > 0"
    ),
    "koigate_hooks_in_flight": "koigate_hooks_in_flight == 0",
    "koigate_backend_calls_total": (
        'sum by (verdict) (koigate_backend_calls_total{backend="blacklist", verdict=~"continue|reject"}) > 0'
    ),
    "koigate_backend_failures_total": (
        'koigate_backend_failures_total{backend="gone", kind="connect"} > 0'
        ' and on () koigate_backend_failures_total{backend="raises", kind="status"} > 0'
    ),
    "koigate_backend_call_duration_seconds": (
        'rate(koigate_backend_call_duration_seconds_sum{backend="columns"}[1m])'
        ' / rate(koigate_backend_call_duration_seconds_count{backend="columns"}[1m]) > 0'
    ),
    "koigate_backend_in_flight": 'koigate_backend_in_flight{backend="poster"} == 0',
    "koigate_backend_up": 'koigate_backend_up{backend="poster"} == 1',
    "koigate_backend_breaker_open": 'koigate_backend_breaker_open{backend="poster"} == 0',
    "koigate_backend_retries_total": 'koigate_backend_retries_total{backend="poster"} == 0',
    "koigate_fail_open_total": 'koigate_fail_open_total{hook="onMessage", backend="gone"} > 0',
    "koigate_buffered_bytes": "koigate_buffered_bytes == 0",
    "koigate_buffered_beside_bytes": "koigate_buffered_beside_bytes == 0",
    "koigate_connections_opened_total": 'koigate_connections_opened_total{backend="blacklist"} > 0',
    "koigate_connections_reused_total": 'koigate_connections_reused_total{backend="blacklist"} > 0',
    "koigate_merges_total": 'koigate_merges_total{hook="onPreSend"} > 0',
    "koigate_merge_conflicts_total": 'koigate_merge_conflicts_total{hook="onPreSend"} > 0',
    "koigate_merge_failures_total": 'koigate_merge_failures_total{hook="onResult"} > 0',
    "koigate_edits_total": 'koigate_edits_total{hook="onResult", backend="columns"} > 0',
    "koigate_edits_denied_total": 'koigate_edits_denied_total{hook="guarded", backend="confined"} > 0',
    "koigate_attachments_denied_total": 'koigate_attachments_denied_total{hook="guarded", backend="mute"} > 0',
    "koigate_table_guard_total": 'koigate_table_guard_total{hook="onResult", backend="columns"} == 0',
    "koigate_shadow_total": 'koigate_shadow_total{hook="shadowed", backend="strict", would="reject"} > 0',
    "koigate_shadow_dropped_total": 'koigate_shadow_dropped_total{hook="shadowed", backend="strict"} == 0',
    "koigate_observer_notices_total": (
        'koigate_observer_notices_total{hook="shadowed", backend="counter", result="delivered"} > 0'
    ),
    "koigate_observer_waiting": 'koigate_observer_waiting{backend="counter"} == 0',
    "koigate_images_collected_total": 'koigate_images_collected_total{hook="posters"} > 0',
    "koigate_attachments_dropped_total": 'koigate_attachments_dropped_total{kind="text"} > 0',
    "koigate_request_rejections_total": 'koigate_request_rejections_total{reason="path"} > 0',
    "koigate_config_reloads_total": "koigate_config_reloads_total > 0",
    "koigate_config_last_reload_successful": "koigate_config_last_reload_successful == 1",
    "koigate_config_last_reload_success_timestamp_seconds": (
        "time() - koigate_config_last_reload_success_timestamp_seconds < 600"
    ),
    "koigate_panics_total": "koigate_panics_total == 0",
    "koigate_log_lines_dropped_total": "koigate_log_lines_dropped_total == 0",
    "koigate_build_info": 'koigate_build_info{version!=""} == 1',
    "process_cpu_seconds_total": "rate(process_cpu_seconds_total[1m]) >= 0",
    "process_max_fds": "process_open_fds / process_max_fds < 1",
    "process_open_fds": "process_open_fds > 0",
    "process_resident_memory_bytes": "process_resident_memory_bytes > 1e6",
    "process_start_time_seconds": "time() - process_start_time_seconds < 600",
    "process_threads": "process_threads > 0",
    "process_virtual_memory_bytes": "process_virtual_memory_bytes > 1e6",
}


class Prometheus:
    """A running Prometheus that scrapes one address every second, and forgets everything at its end."""

    def __init__(self, processes, target):
        self.port = free_port()
        file = processes.folder / "prometheus.yml"
        file.write_text(CONFIGURATION.format(port=target))
        command = ["prometheus", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--storage.tsdb.path={processes.folder / 'prometheus'}", "--log.level=warn"]
        processes.start("prometheus", command, self.port)

    def ask(self, question):
        """The series that an expression gives now; none before it is ready, which it says with 503."""
        query = urllib.parse.urlencode({"query": question})
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10
            ) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return []

    def await_data(self, question):
        """The same, once there are any; none if that takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not (series := self.ask(question)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return series


def run(report, processes):
    services = start_services(processes, ["aiohttp", "flask", "fastapi", "django", "node"])
    gateway = Gateway(processes, configured(services))
    prometheus = Prometheus(processes, gateway.admin)
    report.equal("the gateway is scraped", len(prometheus.await_data('up{job="koigate"} == 1')), 1)
    post_every_kind(gateway)
    report.equal("each metric has a question", families(gateway.get("/metrics")), sorted(QUESTIONS))
    for name, question in QUESTIONS.items():
        report.equal(f"{name} answers", bool(prometheus.await_data(question)), True)
    check_with_promtool(report, gateway.get("/metrics"))


def configured(services):
    backends = {name: {"url": url(services, at)} | GUARDS.get(name, {}) for name, at in BACKENDS.items()}
    backends["gone"] = {"url": f"http://127.0.0.1:{free_port()}/"}
    backends["strict"] = {"url": url(services, BACKENDS["blacklist"])}
    hooks = {name: {"chain": chain} for name, chain in HOOKS.items()}
    backends["counter"] = {"url": url(services, "fastapi/text")}
    hooks["shadowed"] = {"chain": ["points"], "shadow": ["strict"], "observers": ["counter"]}
    return configuration(backends, hooks, {"failure_statuses": ["5xx"]})


def post_every_kind(gateway):
    """Hooks of every outcome, and a reload; over two scrapes, so that rates have something to tell."""
    for _ in range(2):
        for _ in range(5):
            gateway.posts("/onMessage", ON_MESSAGE)
            gateway.posts("/onMessage", message(6601234567))
            gateway.posts("/onPreSend", ON_PRE_SEND)
            gateway.posts("/onResult", ON_RESULT)
            gateway.posts("/posters", ON_MESSAGE)
            gateway.posts("/guarded", ON_RESULT)
            gateway.posts("/shadowed", message(6601234567))
        post(gateway.port, "/no/such/path", b"{}")
        gateway.process.child.send_signal(signal.SIGHUP)
        time.sleep(2)


def families(text):
    """The names of all metrics of a scrape."""
    return sorted(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))


def check_with_promtool(report, text):
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    report.equal("promtool has nothing to say", (checked.returncode, checked.stdout), (0, ""))
