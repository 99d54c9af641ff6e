"""A tiny bot on an SDK that is not ours, to be driven by the local WeChat in tests and by hand."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

TOKEN, KEY, APP_ID = "localwechat", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxf0a1b2c3d4e5f607"


def text_reply(push: dict[str, str], content: str) -> str:
    """A text reply to a push."""
    return (
        f"<xml><ToUserName><![CDATA[{push['FromUserName']}]]></ToUserName>"
        f"<FromUserName><![CDATA[{push['ToUserName']}]]></FromUserName><CreateTime>{int(time.time())}</CreateTime>"
        f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content></xml>"
    )


class EchoBot:
    """Answers what ``answer`` says: text, or None for success, or (status, content type, bytes) as it stands."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, str]], Any] = self.echo
        self.pushes: list[dict[str, str]] = []
        self.queries: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.seal = True
        self.crypto = WeChatCrypto(TOKEN, KEY, APP_ID)

    @staticmethod
    def echo(push: dict[str, str]) -> str | None:
        if push["MsgType"] == "event":
            return {"subscribe": "欢迎关注", "CLICK": f"菜单:{push.get('EventKey')}"}.get(push["Event"])
        return f"收到:{push.get('Content') or push['MsgType']}"

    def read(self, query: dict[str, str], body: bytes) -> dict[str, str]:
        xml = body
        if query.get("encrypt_type") == "aes":
            opened = self.crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
            xml = opened.encode() if isinstance(opened, str) else opened
        else:
            check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
        return {child.tag: child.text or "" for child in ElementTree.fromstring(xml)}

    def respond(self, query: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        self.queries.append(query)
        self.bodies.append(body)
        try:
            push = self.read(query, body)
        except Exception as error:
            return 403, "text/plain", type(error).__name__.encode()
        self.pushes.append(push)
        said = self.answer(push)
        if said is None:
            return 200, "text/plain", b"success"
        if isinstance(said, tuple):
            return said
        xml = said if said.startswith("<xml>") else text_reply(push, said)
        if self.seal and query.get("encrypt_type") == "aes":
            xml = self.crypto.encrypt_message(xml, query["nonce"], query["timestamp"])
        return 200, "text/xml; charset=utf-8", xml.encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    bot: EchoBot

    def _query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self) -> None:
        query = self._query()
        try:
            check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
        except Exception:
            return self._send(403, "text/plain", b"no")
        return self._send(200, "text/plain", query["echostr"].encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._send(*self.bot.respond(self._query(), body))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A caller that went away is part of the tests."""


@contextmanager
def running_bot(port: int = 0) -> Iterator[tuple[EchoBot, str]]:
    """The bot in the background and its callback address."""
    bot = EchoBot()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"bot": bot}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield bot, f"http://127.0.0.1:{server.server_address[1]}/wechat"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with running_bot(int(sys.argv[1]) if len(sys.argv) > 1 else 8000) as (_, url):
        print(url)
        threading.Event().wait()
