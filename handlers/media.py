"""Voice, pictures and links: kept, and answered with what to do instead (F012, F020)."""

from __future__ import annotations

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from handlers import wording

topic = Router()


@topic.on("voice")
def voice(_turn: Turn) -> Reply:
    return wording.VOICE_WITHOUT_TEXT


@topic.on("image")
def image(_turn: Turn) -> Reply:
    return f"收到图片。现在还不能从图片里办事，请用文字告诉我们；可以先回复 {tap('咨询')}。"


@topic.on("video", "shortvideo")
def video(_turn: Turn) -> Reply:
    return f"收到视频。现在还不能处理视频，请用文字告诉我们；可以先回复 {tap('帮助')}。"


@topic.on("link", "miniprogrampage", "file")
def link(_turn: Turn) -> Reply:
    return f"收到分享，谢谢。若想咨询其中的法律问题，请回复 {tap('咨询')} 用自己的话说明。"
