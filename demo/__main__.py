"""`make run`: tables, demo data, the local WeChat and the bot, in the foreground, until Ctrl-C."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import FrameType

import sqlalchemy as sa

import config
from demo import logins
from models import Database, Follower, Vault

START_SECONDS = 60.0
STOP_SECONDS = 8.0
DIE_WITH_PARENT = 1
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - before any import of ours


def main() -> int:
    """Start both, print where they are, wait; 1 when one of them cannot start."""
    bot = f"http://{_setting('BOT_SERVER__HOST', '127.0.0.1')}:{_setting('BOT_SERVER__PORT', '8000')}"
    wechat = f"http://127.0.0.1:{_setting('SIM_PORT', '8001')}"
    if _run("app.py", "demo") != 0:
        return 1
    children: list[subprocess.Popen[bytes]] = []
    _on_stop(lambda: _stop(children))
    children.append(_start("-m", "simulator", "--port", wechat.rsplit(":", 1)[1], "--callback-url", f"{bot}/wechat"))
    if not _answers(wechat, children[0]):
        print("本地微信没有启动，原因见上。The local WeChat did not start; the reason stands above.", file=sys.stderr)
        _stop(children)
        return 1
    _introduce(wechat)
    children.append(_start("app.py", "run", BOT_WECHAT__API_BASE_URL=wechat))
    if not _answers(f"{bot}/healthz", children[1]):
        print("机器人没有启动，原因见上。The bot did not start; the reason stands above.", file=sys.stderr)
        _stop(children)
        return 1
    _run("app.py", "menu", "publish", BOT_WECHAT__API_BASE_URL=wechat)
    _greet(bot, wechat)
    while all(child.poll() is None for child in children):
        time.sleep(0.3)
    _stop(children)
    return 1


def _introduce(wechat: str) -> None:
    """The local WeChat is told who follows the account, as the real one would know."""
    settings = config.load()
    database = Database(settings.database.url, Vault(settings.server.secret_key, *settings.server.former_secret_keys))
    with database.reading() as session:
        openids = list(session.scalars(sa.select(Follower.openid).where(Follower.is_subscribed)))
    database.close()
    asked = urllib.request.Request(  # noqa: S310
        f"{wechat}/_sim/followers",
        data=json.dumps({"openids": openids}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310


def _greet(bot: str, wechat: str) -> None:
    print(
        f"""
法学会助手已启动（演示数据全部虚构） · 法学会助手 is running; all data are fictional

  手机页   {wechat}/    在这里扮演党员、群众、律师、书记、办公室 · play everyone here
  机器人   {bot}/    运行状况 · the bot and how it is
  控制台   {bot}/console/    演示账号 {"、".join(logins.LOGINS)}，密码都是 {logins.PASSWORD}，验证码登录时会显示
                                    · the desk; demonstration accounts, one password, the code is shown at the login
  就绪     {bot}/readyz   能否服务及原因 · ready, with reasons

  试试：用“张伟”说 签到，用“王芳”说 咨询，用“赵敏”说 群发。
  Try: say 签到 as 张伟, 咨询 as 王芳, 群发 as 赵敏.
  按 Ctrl-C 停止 · Ctrl-C stops both
""",
        flush=True,
    )


def _setting(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _run(*arguments: str, **environment: str) -> int:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment}, check=False
    ).returncode


def _start(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    # Ctrl-C comes to the parent only; it stops its children in order.
    os.setpgrp()


def _answers(url: str, child: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
    return False


def _on_stop(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()
        raise SystemExit(0)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    sys.exit(main())
