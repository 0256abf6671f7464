"""A peer of the gateway: aiohttp, asyncio.gather, and a merge of dictionaries. PORT PROCESSES SERVICE..."""

import asyncio
import json
import os
import signal
import sys

from aiohttp import ClientSession, TCPConnector, web

port, processes = int(sys.argv[1]), int(sys.argv[2])
services = [f"http://127.0.0.1:{service}" for service in sys.argv[3:]]


def merge(into, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


async def ask(session, url, body):
    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as reply:
        return reply.status, reply.headers.get("Content-Type", ""), await reply.read()


async def hook(request):
    body = await request.read()
    session = request.app["session"]
    replies = await asyncio.gather(*(ask(session, service + request.path, body) for service in services))
    merged = last = None
    for status, kind, reply in replies:
        if status > 400:
            return web.Response(status=status, body=reply, headers={"Content-Type": kind})
        if status == 200 and kind.startswith("application/json"):
            document = json.loads(reply)
            if merged is None:
                merged = document
            else:
                merge(merged, document)
        elif status == 200:
            last = (kind, reply)
    if merged is not None:
        return web.Response(body=json.dumps(merged).encode(), headers={"Content-Type": "application/json"})
    if last:
        return web.Response(body=last[1], headers={"Content-Type": last[0]})
    return web.Response(status=204)


async def serve():
    app = web.Application(client_max_size=1 << 28)
    app.router.add_post("/{path:.*}", hook)

    async def session(app):
        app["session"] = ClientSession(connector=TCPConnector(limit=0))
        yield
        await app["session"].close()

    app.cleanup_ctx.append(session)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_port=True).start()
    await asyncio.Event().wait()


children = []
for _ in range(processes - 1):
    child = os.fork()
    if child == 0:
        children = []
        break
    children.append(child)


def stop(*_):
    for child in children:
        os.kill(child, signal.SIGTERM)
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
asyncio.run(serve())
