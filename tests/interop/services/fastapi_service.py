"""A callback service in FastAPI on uvicorn, which closes idle connections after five seconds, or as told.

Run as `python fastapi_service.py PORT [SECONDS]`.
"""

import sys
from typing import Any

import orjson
import uvicorn
from fastapi import Body, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

app = FastAPI()


class Points(BaseModel):
    user: int
    points: int


@app.post("/echo")
async def echo(data: dict[str, Any] = Body()):
    return data


@app.post("/orjson")
async def with_orjson(request: Request):
    data = orjson.loads(await request.body())
    return Response(orjson.dumps(data), media_type="application/json")


@app.post("/column")
async def column(request: Request):
    data = await request.json()
    data["result"]["出口"] = ["HK" for _ in data["result"]["节点名称"]]
    return JSONResponse(data)


@app.post("/points")
async def points(data: dict[str, Any] = Body()):
    if data["message"]["from-user"]["id"] == 7701234567:
        raise HTTPException(403, "积分不足")
    return None  # 200, null


@app.post("/model")
async def model(data: Points):  # koipy's document is none: 422
    return data


@app.post("/text")
async def text():
    return PlainTextResponse("积分 -1")


if __name__ == "__main__":
    idle = float(sys.argv[2]) if sys.argv[2:] else 5
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), timeout_keep_alive=idle, log_level="warning")
