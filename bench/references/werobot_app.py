"""WeRoBot as its documentation has it: a text handler, safe mode, sessions in the default store, robot.run().

A check-in is remembered in the session, the one thing WeRoBot itself stores.
"""

from __future__ import annotations

import os
from typing import Any

from werobot import WeRoBot  # type: ignore[import-not-found, unused-ignore]

robot = WeRoBot(token=os.environ["TOKEN"])
robot.config["APP_ID"] = os.environ["APP_ID"]
robot.config["ENCODING_AES_KEY"] = os.environ["ENCODING_AES_KEY"]
robot.config["HOST"] = "127.0.0.1"
robot.config["PORT"] = int(os.environ["PORT"])
robot.config["SERVER"] = os.environ["SERVER"]


@robot.filter("签到")  # type: ignore[untyped-decorator, unused-ignore]
def check_in(message: Any, session: dict[str, Any]) -> str:
    if "checked_in_at" in session:
        return "您已经签到过了。"
    session["checked_in_at"] = message.time
    return "签到成功"


if __name__ == "__main__":
    robot.run(enable_pretty_logging=False)
