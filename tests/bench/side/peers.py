"""Koigate and those that it is measured beside: how each is configured for so many services, and started."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MODULES = pathlib.Path("/usr/lib/nginx/modules")

# Threads or processes of each.
WORKERS = os.cpu_count() or 1

# The hooks that the services behind know, and what the answer's status may be.
ANSWERS = {
    "204": {204},
    "few": {204},
    "close": {204},
    "slow": {204},
    "reject": {403},
    "first-reject": {403},
    **{f"reject-{share}": {204, 403} for share in (0, 25, 50, 75, 100)},
    **{f"{kind}-{size}": {200} for kind in ("echo", "mixed", "patch") for size in ("3k", "40k", "200k", "2m", "8m")},
}


class Koigate:
    """All hooks to all services at once; or `few` to the first four, and the others to those that are left."""

    def __init__(self, program, name="Koigate", is_parted=False, level="warn"):
        self.program = program
        self.name = name
        self.is_parted = is_parted
        self.level = level

    def parted(self):
        return Koigate(self.program, self.name, is_parted=True, level=self.level)

    def missing(self):
        return None

    def serves(self, services):
        return True

    def command(self, folder, port, services):
        backends = "\n".join(
            f'[backends.b{nth}]\nurl = "http://127.0.0.1:{service}/{{hook}}"' for nth, service in enumerate(services)
        )
        hooks = []
        for hook in ANSWERS:
            asked = range(len(services))
            if self.is_parted:
                asked = asked[:4] if hook == "few" else asked[4:]
            names = ", ".join(f'"b{nth}"' for nth in asked)
            hooks.append(f'[hooks."{hook}"]\nchain = [[{names}]]')
        file = folder / f"koigate-{port}.toml"
        file.write_text(KOIGATE.format(port=port, level=self.level, backends=backends, hooks="\n".join(hooks)))
        return [str(self.program), "run", "--config", str(file)]


KOIGATE = """
[server]
listen = "127.0.0.1:{port}"
max_body = "64MiB"
max_in_flight = 8192
max_buffered = "2GiB"
deadline = "60s"
[admin]
listen = "127.0.0.1:0"
[log]
level = "{level}"
[defaults]
timeout = "50s"
connect_timeout = "10s"
max_reply = "64MiB"
max_in_flight = 8192
{backends}
{hooks}
"""


class Nginx:
    """A plain proxy to one service: the least that any gateway costs."""

    name = "nginx"
    is_lua = False

    def missing(self):
        return None if shutil.which("nginx") else "nginx is not installed"

    def serves(self, services):
        return len(services) == 1

    def command(self, folder, port, services):
        upstreams = "\n".join(
            f"upstream b{nth} {{ server 127.0.0.1:{service}; keepalive 1024; keepalive_requests 1000000000; }}"
            for nth, service in enumerate(services)
        )
        inner = "\n".join(
            f"location /_{nth}/ {{ internal; proxy_pass http://b{nth}/; }}" for nth in range(len(services))
        )
        location = "location / { proxy_pass http://b0; }"
        modules = lua = ""
        if self.is_lua:
            location = f"location / {{ content_by_lua_block {{ fan_out({len(services)}) }} }}\n{inner}"
            modules = "".join(f"load_module {MODULES}/{module}.so;\n" for module in LUA_MODULES)
            lua = f"init_by_lua_file {HERE}/fan_out.lua;"
        file = folder / f"nginx-{port}.conf"
        values = {"workers": WORKERS, "folder": folder, "port": port}
        values |= {"upstreams": upstreams, "location": location, "modules": modules, "lua": lua}
        file.write_text(re.sub(r"@(\w+)@", lambda found: str(values[found[1]]), NGINX))
        return ["nginx", "-p", str(folder), "-c", str(file)]


LUA_MODULES = ("ndk_http_module", "ngx_http_lua_module")

NGINX = """
@modules@
worker_processes @workers@;
daemon off;
pid @folder@/nginx-@port@.pid;
error_log @folder@/nginx-@port@.log warn;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_buffer_size 64m;
  client_max_body_size 64m;
  client_body_temp_path @folder@/body;
  proxy_temp_path @folder@/proxy;
  fastcgi_temp_path @folder@/fastcgi;
  uwsgi_temp_path @folder@/uwsgi;
  scgi_temp_path @folder@/scgi;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffers 64 64k;
  proxy_buffer_size 64k;
  proxy_busy_buffers_size 1m;
  proxy_max_temp_file_size 0;
  proxy_next_upstream off;
  @upstreams@
  @lua@
  server { listen 127.0.0.1:@port@ backlog=4096; @location@ }
}
"""


class NginxLua(Nginx):
    """What an operator who knows nginx would write: `capture_multi`, and cjson to merge."""

    name = "nginx + Lua"
    is_lua = True

    def missing(self):
        if not shutil.which("nginx"):
            return "nginx is not installed"
        if not all((MODULES / f"{module}.so").exists() for module in LUA_MODULES):
            return "nginx has no Lua: Debian's libnginx-mod-http-lua"
        if not any(pathlib.Path("/usr").glob("lib/*/lua/5.1/cjson.so")):
            return "Lua has no cjson: Debian's lua-cjson"
        return None

    def serves(self, services):
        return True


class Haproxy:
    """Another plain proxy."""

    name = "HAProxy"

    def missing(self):
        return None if shutil.which("haproxy") else "haproxy is not installed"

    def serves(self, services):
        return len(services) == 1

    def command(self, folder, port, services):
        file = folder / f"haproxy-{port}.cfg"
        file.write_text(HAPROXY.format(workers=WORKERS, port=port, service=services[0]))
        return ["haproxy", "-db", "-f", str(file)]


HAPROXY = """
global
  nbthread {workers}
  maxconn 8192
  tune.bufsize 65536
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  option http-keep-alive
  http-reuse always
frontend hooks
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server one 127.0.0.1:{service} pool-max-conn 1024
"""


class Aiohttp:
    """What koipy's users write: aiohttp, `asyncio.gather` and a merge of dictionaries."""

    name = "aiohttp"

    def __init__(self, python):
        self.python = python

    def missing(self):
        found = subprocess.run([self.python, "-c", "import aiohttp"], capture_output=True, check=False)
        return None if found.returncode == 0 else f"{self.python} has no aiohttp: name one that has with --python"

    def serves(self, services):
        return True

    def command(self, folder, port, services):
        return [self.python, str(HERE / "gather.py"), str(port), str(WORKERS), *map(str, services)]


class Node:
    """The same in JavaScript, with nothing but Node itself."""

    name = "Node"

    def missing(self):
        return None if shutil.which("node") else "node is not installed"

    def serves(self, services):
        return True

    def command(self, folder, port, services):
        return ["node", str(HERE / "gather.mjs"), str(port), str(WORKERS), *map(str, services)]


def everybody(program, another, python):
    """Koigate first, and another build of it, if any; then whoever is there. Those that are missing are named."""
    if importlib.util.find_spec("aiohttp"):
        python = python or sys.executable
    ours = [Koigate(program), *([Koigate(another, f"Koigate, {another}")] if another else [])]
    peers = [*ours, Nginx(), NginxLua(), Haproxy(), Aiohttp(python or "python3"), Node()]
    there = []
    for peer in peers:
        why = peer.missing()
        if why is None:
            there.append(peer)
        else:
            print(f"without {peer.name}: {why}", file=sys.stderr)
    return there
