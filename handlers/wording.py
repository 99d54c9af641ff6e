"""Sentences people read in the chat, where more than one topic says them or they are long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.replies import tap
from models import Person, Role
from services.membership import meant

SERVICE = "法学会助手"

NOT_BOUND = (
    f"这项服务要先确认您是哪位同志。回复 {tap('绑定')} 开始：用邀请码，或用姓名和手机号（书记确认）。\n"
    f"想咨询法律问题不用绑定，回复 {tap('咨询')} 即可。"
)

PURPOSE = "为了确认您的党员会员身份，需要您的姓名和手机号；只用于身份确认和组织联系，加密保存，可随时回复“解绑”。"

VOICE_WITHOUT_TEXT = (
    "收到您的语音。微信已不再把语音转成文字发给我们，请用这两种办法之一：\n"
    "1 点输入框，用键盘上的话筒说话，会变成文字；\n"
    "2 长按刚才的语音，选“转文字”，复制后发来。"
)


def welcome(*, came_back: bool) -> str:
    """What a new or returning follower reads first."""
    greeting = "欢迎回来！" if came_back else f"您好，这里是{SERVICE}。"
    return (
        f"{greeting}\n有法律问题，回复 {tap('咨询')}，不用注册；\n找最近的法律服务站，点“＋”发送位置；\n"
        f"党员会员请回复 {tap('绑定')}，之后可以 {tap('签到')}、{tap('请假')}。\n都能办什么：{tap('帮助')}"
    )


def not_for_you(roles: Iterable[Role]) -> str:
    """A command that needs a post the person does not hold."""
    return f"这项操作由{'、'.join(role.label for role in roles)}办理。您能办的事：{tap('帮助')}"


def which_of(alike: Sequence[Person], command: str, reason: str = "") -> str:
    """Several bear the name that was said: how to say the command again for each of them, with the reason as it was."""
    count = "两" if len(alike) == 2 else str(len(alike))
    marked = [f"{person.name} {meant.mark(person, alike)}" for person in alike]
    ways = "、".join(tap(f"{command} {each}", " ".join(filter(None, (command, each, reason)))) for each in marked)
    return f"有{count}位{alike[0].name}，请回复 {ways}（手机后四位，或名册编号）。"
