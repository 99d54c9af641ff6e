"""What is said of an address that is not there, or not to be used so: one Chinese sentence, JSON where programs ask."""

from __future__ import annotations

import json

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

SAYS = {
    404: "没有这个地址。",
    405: "这个地址不接受这种请求。",
    413: "内容太大，没有收下。",
    500: "程序出错了，没有办成；请稍后再试，或请运维看日志。",
}
OTHERWISE = "这个请求看不懂，没有执行。"


def attach(app: Flask) -> None:
    """Refusals of all pages that have no words of their own; the console has."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        code = error.code or 500
        says = SAYS.get(min(code, 500), OTHERWISE)
        if request.path.startswith("/api/"):
            answer = Response(json.dumps({"error": says}, ensure_ascii=False), code, mimetype="application/json")
        else:
            answer = Response(f"{says}\n", code, mimetype="text/plain")
        if allowed := getattr(error, "valid_methods", None):
            answer.headers["Allow"] = ", ".join(sorted(allowed))
        return answer
