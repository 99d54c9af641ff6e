"""Every automatic rule in words: what holds now, why, where it comes from, who changes it and how (P4)."""

from __future__ import annotations

from dataclasses import dataclass

from config import Settings
from services import overview
from services.custody import retention
from services.entry import logins, passwords
from services.meetings.calendar import OnHoliday, SecondWeek
from services.membership import binding
from services.organisation import branches
from services.sending import reach

OPERATOR = "运维，config.yaml 的 {key}"
CODE = "写在程序里，改要出新版本"


@dataclass(frozen=True, slots=True)
class Line:
    """One rule as it holds now."""

    name: str
    value: str
    why: str
    source: str
    changed_by: str


def lines(settings: Settings) -> list[tuple[str, list[Line]]]:
    """All of them, group by group."""
    return [
        ("学习日和活动日", _days(settings)),
        ("发送", _sending(settings)),
        ("咨询", _consulting()),
        ("登录和个人信息", _privacy()),
        ("保存多久", _kept(settings)),
    ]


def _days(settings: Settings) -> list[Line]:
    calendar, study = settings.calendar, settings.study_day
    return [
        Line("党员学习日", "每周五", "把每周周五定为“党员学习日”", "工作报告", CODE),
        Line(
            "党员活动日", "当月" + SecondWeek[calendar.second_week.upper()].label, "“每月的第二周的星期五”有两种读法，由本会定一种",
            "工作报告", OPERATOR.format(key="calendar.second_week"),
        ),
        Line(
            "逢节假日", OnHoliday[calendar.on_holiday.upper()].label, "报告没有说节假日怎么办，由本会定",
            "工作报告未定", OPERATOR.format(key="calendar.on_holiday"),
        ),
        Line("学习日与活动日同一天", "合为一次，只发一条通知", "不为同一天打扰两次", "不增加负担（P1）", CODE),
        Line(
            "当天通知", f"{study.notice_at:%H:%M}", "当天早上提醒一次", "工作报告",
            OPERATOR.format(key="study_day.notice_at"),
        ),
        Line(
            "签到时间", f"{study.check_in_from:%H:%M}–{study.check_in_until:%H:%M}", "签到只在活动当天的这段时间有效",
            "不搞每日打卡（P1）", OPERATOR.format(key="study_day.check_in_from、check_in_until"),
        ),
        Line(
            "提前排期", f"{study.weeks_ahead} 周", "书记可以提前改期", "工作报告",
            OPERATOR.format(key="study_day.weeks_ahead"),
        ),
    ]  # fmt: skip


def _sending(settings: Settings) -> list[Line]:
    sending = settings.sending
    return [
        Line(
            "每秒最多发送", f"{sending.per_second} 条", "不超过微信的频率限制", "微信接口规则",
            OPERATOR.format(key="sending.per_second"),
        ),
        Line(
            "安静时段", f"{sending.quiet_from:%H:%M}–{sending.quiet_until:%H:%M}", "群发等到早上再发；紧急的可以立即发",
            "不增加负担（P1）", OPERATOR.format(key="sending.quiet_from、quiet_until"),
        ),
        Line(
            "学习日通知最晚", f"晚 {sending.not_after_minutes} 分钟以上不再发", "过了时间的提醒没有用，记“过期未发”",
            "不发过时的通知（P2）", OPERATOR.format(key="sending.not_after_minutes"),
        ),
        Line(
            "客服消息", f"本人来信后 {reach.AFTER_MESSAGE[0].total_seconds() / 3600:.0f} 小时内，"
            f"最多 {reach.AFTER_MESSAGE[1]} 条", "过了这个时间只能发模板消息", "微信接口规则", "微信规定，不能改",
        ),
        Line("结果不明的消息", "不自动重发", "可能已经发出；宁可少发一次，不可一人收两次", "不重复（P2）", CODE),
    ]  # fmt: skip


def _consulting() -> list[Line]:
    return [
        Line(
            "谁来接单", "县（市）区内值班律师，先看开着门的、手上少的",
            "离得近、有人在、分得匀；没有人就交市办公室", "工作报告", CODE,
        ),
        Line(
            "谁能看内容", "只有承办人；待接单时本县（市）区值班律师；紧急的和评价低的，过问的办公室", "群众的话只给办事的人看",
            "最少数据（P5）", CODE,
        ),
        Line(
            "等太久", f"{overview.TOO_LONG.total_seconds() / 3600:.0f} 小时没人接，今日页标红",
            "先提醒，再由人处理", "本会约定", CODE,
        ),
    ]  # fmt: skip


def _privacy() -> list[Line]:
    return [
        Line("密码", f"至少 {passwords.SHORTEST} 个字符", "长比复杂有用", "本会约定", CODE),
        Line(
            "锁定", f"连续输错 {logins.MAX_FAILED} 次，锁 {logins.LOCKED_FOR.total_seconds() / 60:.0f} 分钟",
            "防止有人试密码", "本会约定", CODE,
        ),
        Line(
            "自动退出", f"{logins.IDLE.total_seconds() / 60:.0f} 分钟不用，或满 {logins.LONGEST.total_seconds() / 3600:.0f} 小时",
            "离开座位忘了退出也不要紧", "本会约定", CODE,
        ),
        Line(
            "邀请码", f"{binding.INVITE_LASTS.days} 天有效，用一次；每小时最多试 {binding.MAX_GUESSES} 次", "防止猜码",
            "本会约定", CODE,
        ),
        Line("支部至少几名党员", f"{branches.FEWEST_MEMBERS} 名", "组织页据此提示名册不全", "党章第三十条", CODE),
        Line("账号权限", "随名册里的任职，到期当天失效", "人走权收，不靠人记得", "本会约定", "任职由办公室登记"),
    ]  # fmt: skip


def _kept(settings: Settings) -> list[Line]:
    """How long everything is kept; tables that are one thing to people are one line."""
    by_config = {kept.what for kept in (retention.kept(settings.privacy)["consultations"],)}
    return [
        Line(
            kept.what, kept.term, kept.why, "最少数据（P5）",
            OPERATOR.format(key="privacy.consultation_days") if kept.what in by_config else CODE,
        )
        for kept in dict.fromkeys(retention.kept(settings.privacy).values())
    ]  # fmt: skip
