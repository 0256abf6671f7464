"""Reads a document and writes it again: Python's json, simplejson, orjson, and Lua's cjson behind a pipe.

Run as `python python_echo.py PORT`; each serialiser has a path of its name. What one can't read or write is
a 500 with its own words.
"""

import json
import pathlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import simplejson


class Lua:
    """Lua has no server of its own: documents go to one process, each behind a line with its length."""

    def __init__(self):
        script = pathlib.Path(__file__).with_name("lua_echo.lua")
        self.child = subprocess.Popen(["luajit", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.turn = threading.Lock()

    def echo(self, document):
        with self.turn:
            self.child.stdin.write(b"%d\n%b" % (len(document), document))
            self.child.stdin.flush()
            verdict, length = self.child.stdout.readline().split()
            text = self.child.stdout.read(int(length))
        if verdict != b"ok":
            raise ValueError(text.decode())
        return text


SERIALISERS = {
    "json": lambda document: json.dumps(json.loads(document)).encode(),
    "simplejson": lambda document: simplejson.dumps(simplejson.loads(document)).encode(),
    "orjson": lambda document: orjson.dumps(orjson.loads(document)),
    "lua": Lua().echo,
}


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        document = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status, label, body = 200, "application/json", SERIALISERS[self.path[1:]](document)
        except Exception as error:
            status, label, body = 500, "text/plain", str(error).encode()
        self.send_response(status)
        self.send_header("Content-Type", label)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
