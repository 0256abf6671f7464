"""A callback service in aiohttp, as most of koipy's are written: the document in, the document back.

Run as `python aiohttp_service.py PORT [roomy]`.
"""

import sys

from aiohttp import web

BLACKLIST = {6601234567}

routes = web.RouteTableDef()


@routes.post("/nothing")
async def nothing(request):
    return web.json_response()  # 200, application/json, no body


@routes.post("/ok")
async def ok(request):
    return web.Response(status=200)


@routes.post("/no-content")
async def no_content(request):
    return web.Response(status=204)


@routes.post("/echo")
async def echo(request):
    return web.json_response(await request.json())


@routes.post("/column")
async def column(request):
    data = await request.json()
    data["result"]["倍率"] = [1.0 for _ in data["result"]["节点名称"]]
    return web.json_response(data)


@routes.post("/partial")
async def partial(request):
    return web.json_response({"result": {"倍率": [1.0]}})


@routes.post("/blacklist")
async def blacklist(request):
    data = await request.json()
    if data["message"]["from-user"]["id"] in BLACKLIST:
        return web.Response(status=403, text="你已被加入黑名单")
    return web.Response(status=204)


@routes.post("/router")
async def router(request):
    data = await request.json()
    data["slaveRequest"]["slave"] = {"id": "hk1", "comment": "香港后端"}
    return web.json_response(data)


@routes.post("/raises")
async def raises(request):
    raise KeyError("from-user")


def main():
    # aiohttp refuses bodies over 1 MiB unless told otherwise, and some services aren't told.
    limit = 64 * 1024 * 1024 if sys.argv[2:] == ["roomy"] else 1024**2
    app = web.Application(client_max_size=limit)
    app.add_routes(routes)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
