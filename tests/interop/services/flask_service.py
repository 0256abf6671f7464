"""A callback service in Flask, on its development server: HTTP/1.1 with `Connection: close`, keys sorted.

Run as `python flask_service.py PORT`.
"""

import io
import sys

from flask import Flask, jsonify, request, send_file

from pictures import png

app = Flask(__name__)


@app.post("/ok")
def ok():
    return "", 200  # text/html, no body


@app.post("/empty")
def empty():
    return jsonify({})


@app.post("/echo")
def echo():
    return jsonify(request.get_json())


@app.post("/column")
def column():
    data = request.get_json()
    data["result"]["评级"] = ["A" for _ in data["result"]["节点名称"]]
    return jsonify(data)


@app.post("/poster")
def poster():
    return send_file(io.BytesIO(png(40, 30)), mimetype="image/jpeg")  # a PNG, whatever the label says


@app.post("/refuse")
def refuse():
    return send_file(io.BytesIO(png(20, 10)), mimetype="image/png"), 403


@app.post("/text")
def text():
    return "测试完成", 200, {"Content-Type": "text/plain; charset=utf-8"}


@app.post("/raises")
def raises():
    return jsonify(request.get_json()["no such key"])


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
