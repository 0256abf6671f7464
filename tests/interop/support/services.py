"""How each callback service of services/ is started."""

import pathlib
import sys

from support.processes import free_port

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "services"

# Each takes its port where PORT stands.
COMMANDS = {
    "aiohttp": [sys.executable, FOLDER / "aiohttp_service.py", "PORT", "roomy"],
    "aiohttp-default": [sys.executable, FOLDER / "aiohttp_service.py", "PORT"],
    "flask": [sys.executable, FOLDER / "flask_service.py", "PORT"],
    "fastapi": [sys.executable, FOLDER / "fastapi_service.py", "PORT"],
    "fastapi-impatient": [sys.executable, FOLDER / "fastapi_service.py", "PORT", "1"],
    "django": [sys.executable, FOLDER / "django_service.py", "runserver", "--noreload", "PORT"],
    "node": ["node", FOLDER / "node_http.js", "PORT"],
    "express": ["node", FOLDER / "express_service.js", "PORT"],
    "signed": [sys.executable, FOLDER / "signed_service.py", "PORT"],
}


class Service:
    """A running callback service. It can be ended and started again on the same port."""

    def __init__(self, processes, name):
        self.processes = processes
        self.name = name
        self.port = free_port()
        self.start()

    def start(self):
        command = [self.port if word == "PORT" else word for word in COMMANDS[self.name]]
        self.process = self.processes.start(self.name, command, self.port)

    def end(self):
        self.process.end()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"


def start_services(processes, names):
    """Starts these services; the running ones by name."""
    return {name: Service(processes, name) for name in names}


def url(services, backend):
    """Where a backend is that is written `service/path`."""
    service, path = backend.split("/", 1)
    return services[service].url(path)
