"""What every error code of WeChat means for people, and what the caller does about it.

A table in the order of the platform reference (wechat-platform.md §5); what a family of calls means by a code of
its own stands below it. A send that may have gone out is never repeated by guess: see `may_have_gone_out`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: The daily counters of WeChat start again at midnight in Beijing.
BEIJING = timezone(timedelta(hours=8))


class Reaction(StrEnum):
    """What the caller does; the words of the platform reference."""

    TOKEN = "token"  # noqa: S105 - replace the access token once, then try once more
    BACKOFF = "backoff"  # a few tries more, further and further apart
    WAIT = "wait"  # pause this call until the window is over
    SKIP = "skip"  # give up for this recipient or item, go on with the others
    STOP = "stop"  # stop the whole job
    ADMIN = "admin"  # configuration or permission: stop and tell the administrator
    FIX = "fix"  # a mistake in the request: the same request never succeeds
    OK = "ok"


TOKEN, BACKOFF, WAIT, SKIP = Reaction.TOKEN, Reaction.BACKOFF, Reaction.WAIT, Reaction.SKIP
STOP, ADMIN, FIX, OK = Reaction.STOP, Reaction.ADMIN, Reaction.FIX, Reaction.OK

#: What to do, where a code has no better advice of its own.
USUAL_STEP = {
    TOKEN: "系统会自动更换 access_token 再试一次，一般不用处理。",
    BACKOFF: "系统稍后会自动再试，一般不用处理。",
    WAIT: "系统会暂停一段时间后自动继续，一般不用处理。",
    SKIP: "不再发给此人；需要时请打电话或当面通知。",
    STOP: "本次发送已停止；请管理员处理好以后再继续。",
    ADMIN: "请管理员登录微信公众平台检查账号的设置和权限。",
    FIX: "不会自动重发；请把错误码和时间告诉维护人员。",
    OK: "不用处理。",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One error code: why the call failed and what to do, in words for the office; how the sender reacts.

    Exactly one of `is_ok`, `may_retry`, `ends_this_recipient` and `stops_the_job` is true.
    """

    code: int
    reaction: Reaction
    reason: str
    next_step: str
    tells_admin: bool = False
    wait_seconds: int | None = None
    until_midnight: bool = False
    only_this_recipient: bool = False  # the pause concerns one person; the others go on
    may_have_gone_out: bool = False  # WeChat may have acted although it reported a failure

    @property
    def is_ok(self) -> bool:
        return self.reaction is OK

    @property
    def may_retry(self) -> bool:
        """The same call may be made again later; a send only if it has not `may_have_gone_out`."""
        return self.reaction in {TOKEN, BACKOFF, WAIT}

    @property
    def ends_this_recipient(self) -> bool:
        """This message is settled as refused; the others of the job go on."""
        return self.reaction in {SKIP, FIX}

    @property
    def stops_the_job(self) -> bool:
        return self.reaction in {STOP, ADMIN}

    @property
    def says(self) -> str:
        """Reason and next step as the sentences people read."""
        return f"{self.reason}。{self.next_step}"

    def retry_at(self, at: datetime) -> datetime | None:
        """When a pause that began at `at` is over; None where the code names no pause."""
        if self.until_midnight:
            tomorrow = at.astimezone(BEIJING).date() + timedelta(days=1)
            return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=BEIJING).astimezone(at.tzinfo)
        return None if self.wait_seconds is None else at + timedelta(seconds=self.wait_seconds)


def _row(
    codes: str,
    reaction: Reaction,
    reason: str,
    next_step: str = "",
    tells_admin: bool = False,
    wait_seconds: int | None = None,
    **marks: bool,
) -> tuple[Code, ...]:
    """A line of the table: one code, several ("40031 40032"), or a span ("40015..40027")."""
    step = next_step or USUAL_STEP[reaction]
    told = tells_admin or reaction is ADMIN
    return tuple(Code(code, reaction, reason, step, told, wait_seconds, **marks) for code in _expanded(codes))


def _expanded(codes: str) -> Iterator[int]:
    for span in codes.split():
        first, _, last = span.partition("..")
        yield from range(int(first), int(last or first) + 1)


CHECK_ACCOUNT = "请管理员在微信公众平台重新查看 AppSecret，填进配置后重新启动。"
CHECK_TEMPLATE = "请管理员在公众平台核对模板，更新配置里的模板编号后再继续。"
LOG_IN_AGAIN = "请本人重新打开页面登录一次。"
APPEAL = "请管理员登录微信公众平台查看处罚通知并申诉；恢复以前不要再发。"
SHORTEN = "请把内容改短后重新发送。"
UNSURE = "不知道是否已经发出：能防重复的会自动再试，其余请向收件人核实后再决定。"
USE_TEMPLATE = "改用模板消息或订阅通知；没有可用模板时请打电话。"

_TABLE = (
    _row("-1", BACKOFF, "微信系统繁忙", UNSURE, may_have_gone_out=True),
    _row("0", OK, "成功"),
    _row("20001 200001", BACKOFF, "微信系统出错", UNSURE, may_have_gone_out=True),
    _row("40001", TOKEN, "access_token 无效或已被更换"),
    _row("40002", FIX, "获取凭证的类型写错"),
    _row("40003", SKIP, "收件人的微信编号（openid）无效：不是本号的关注者，或此人已注销微信",
         "不再发给此人；请本人重新关注公众号并绑定。"),
    _row("40004", FIX, "素材的类型不被支持"),
    _row("40005", FIX, "文件的类型不被支持"),
    _row("40006", FIX, "文件太大或是空的", "请换一个小一些的文件重新上传。"),
    _row("40007", FIX, "素材编号无效或已过期（临时素材只保存三天）", "请重新上传素材后再发送。"),
    _row("40008", FIX, "消息类型不被支持"),
    _row("40009", FIX, "图片太大", "请把图片压缩后重新上传。"),
    _row("40010", FIX, "语音太大", "请换一段短一些的语音。"),
    _row("40011", FIX, "视频太大", "请换一段小一些的视频。"),
    _row("40012", FIX, "缩略图太大", "请把缩略图压缩后重新上传。"),
    _row("40013", ADMIN, "AppID 无效", "请管理员核对配置里的 AppID，注意大小写。"),
    _row("40014", TOKEN, "access_token 不合法"),
    _row("40015..40027", FIX, "自定义菜单的类型、个数、名称或网址不合要求"),
    _row("40029", SKIP, "登录凭证无效：已用过、已过期或属于别的账号", LOG_IN_AGAIN),
    _row("40030 42002", SKIP, "网页授权的刷新凭证无效或已过期", LOG_IN_AGAIN),
    _row("40031", FIX, "收件人名单里有无效的编号"),
    _row("40032", FIX, "一次的收件人太多，应分批"),
    _row("40033", FIX, "发出的内容被转成了 \\u 编码"),
    _row("40035 40097 61451", FIX, "参数不合要求"),
    _row("40037", STOP, "模板编号无效：模板已被删除、属于别的账号，或服务类目已更换", CHECK_TEMPLATE, True),
    _row("40050 40051 40117", FIX, "分组的编号或名称不合要求"),
    _row("40054 40055 40066", ADMIN, "按钮的网址或域名没有获准使用", "请管理员在公众平台登记这个域名。"),
    _row("40059", FIX, "群发消息的编号无效"),
    _row("40113 40137", FIX, "文件或图片的格式不被支持", "请换成 JPG 或 PNG 等常用格式。"),
    _row("40118", FIX, "素材编号的长度不对"),
    _row("40119 40120", FIX, "按钮的类型不对"),
    _row("40121", FIX, "素材的种类用在了不该用的地方"),
    _row("40125", STOP, "AppSecret 不正确，可能已被重置", CHECK_ACCOUNT, True),
    _row("40129 40169", FIX, "二维码或小程序码的场景值不合要求"),
    _row("40130", FIX, "群发的收件人不足两个"),
    _row("40132", SKIP, "微信号无效", "请核对微信号后再试。"),
    _row("40155", FIX, "文章里有指向其他公众号主页的链接", "请删去这个链接。"),
    _row("40159", FIX, "小程序页面路径太长"),
    _row("40163", SKIP, "登录凭证已经用过", LOG_IN_AGAIN),
    _row("40164", STOP, "本服务器的 IP 不在公众平台的白名单里",
         "请管理员把错误信息里的 IP 加进公众平台的“IP 白名单”。", True),
    _row("40165", FIX, "小程序页面路径不对"),
    _row("40166", FIX, "小程序的 AppID 不对"),
    _row("40199", FIX, "运单编号不存在"),
    _row("40200", ADMIN, "本账号的类型不能使用这项功能"),
    _row("40201", FIX, "公众平台还没有填写服务器地址", "请管理员在公众平台填写“服务器配置”。"),
    _row("40202", FIX, "网络检测的动作写错"),
    _row("40203", FIX, "网络检测的运营商写错"),
    _row("40212", FIX, "小程序页面的参数不对"),
    _row("40226", SKIP, "微信认为此人账号有风险，暂不允许登录", "请本人稍后再试，或到服务站当面办理。"),
    _row("40243", STOP, "AppSecret 已被冻结", "请管理员在公众平台解冻 AppSecret 后再继续。", True),
    _row("40246", FIX, "添加模板时没有写明关键词"),
    _row("41001", FIX, "请求里没有 access_token"),
    _row("41002", FIX, "请求里没有 AppID"),
    _row("41004", FIX, "请求里没有 AppSecret"),
    _row("41005", FIX, "没有附上素材的内容"),
    _row("41006", FIX, "没有写素材编号"),
    _row("41008", FIX, "没有写登录凭证"),
    _row("41009", FIX, "没有写收件人的微信编号"),
    _row("41028", FIX, "表单编号不对（旧的发送方式，已停用）"),
    _row("41030", FIX, "小程序的这个页面不在已发布的版本里", "请先发布小程序，或改正页面路径。"),
    _row("42001", TOKEN, "access_token 已过期"),
    _row("42003", SKIP, "登录凭证已过期", LOG_IN_AGAIN),
    _row("42007", SKIP, "本人改过微信密码，原来的授权已失效", LOG_IN_AGAIN),
    _row("43001", FIX, "这个调用应当用 GET 方式"),
    _row("43002", FIX, "这个调用应当用 POST 方式"),
    _row("43003", FIX, "这个调用应当用 HTTPS"),
    _row("43004", SKIP, "此人没有关注公众号，或已取消关注", "不再发给此人；请本人重新关注公众号，急事请打电话。"),
    _row("43005", SKIP, "此人与本号不是好友关系"),
    _row("43006", SKIP, "此人已把本号拉黑"),
    _row("43019", SKIP, "此人在本号的黑名单里", "需要发给此人时，请管理员先移出黑名单。"),
    _row("43101", SKIP, "此人没有订阅、拒收，或一次性订阅已经用完",
         "不再发给此人；请本人再点一次“订阅”，急事请打电话。"),
    _row("43104", ADMIN, "本账号没有这项权限"),
    _row("43106", STOP, "账号被处罚，不能再添加模板", APPEAL, True),
    _row("43107", STOP, "账号被处罚，不能发订阅消息", APPEAL, True),
    _row("43108", BACKOFF, "同时给同一个人发了几条", only_this_recipient=True),
    _row("43116", STOP, "这个模板已被微信封禁", CHECK_TEMPLATE, True),
    _row("43117", WAIT, "给此人发得太频繁", "几小时后自动再发；急事请打电话。",
         wait_seconds=6 * HOUR, only_this_recipient=True),
    _row("44001", FIX, "素材是空的"),
    _row("44002", FIX, "请求没有内容"),
    _row("44003", FIX, "图文消息是空的"),
    _row("44004", FIX, "文字消息是空的", "请写上内容后再发送。"),
    _row("44990", WAIT, "每秒调用次数超过限制", wait_seconds=1),
    _row("44991", WAIT, "每分钟调用次数超过限制", wait_seconds=MINUTE),
    _row("44993", WAIT, "今天的调用次数已用完", "明天零点后自动继续。", wait_seconds=DAY, until_midnight=True),
    _row("45001", FIX, "素材文件太大", "请换一个小一些的文件。"),
    _row("45002", FIX, "消息内容太长", SHORTEN),
    _row("45003", FIX, "标题太长", SHORTEN),
    _row("45004", FIX, "摘要太长", SHORTEN),
    _row("45005", FIX, "链接太长"),
    _row("45006", FIX, "图片链接太长"),
    _row("45007", FIX, "语音超过限定的时长", "请换一段短一些的语音。"),
    _row("45008", FIX, "图文消息的篇数太多（只能一篇）", "请只留一篇。"),
    _row("45009", WAIT, "今天的发送额度已用完",
         "明天零点后自动继续；确有必要时由管理员人工清零（每月十次）。",
         True, wait_seconds=DAY, until_midnight=True),
    _row("45010", FIX, "菜单的个数太多"),
    _row("45011", WAIT, "每分钟调用次数超过限制", "约一分钟后自动继续，并放慢速度。", wait_seconds=MINUTE),
    _row("45012", FIX, "模板的大小超过限制"),
    _row("45013", FIX, "模板参数超过限制", SHORTEN),
    _row("45014", FIX, "模板消息的大小超过限制", SHORTEN),
    _row("45015", SKIP, "回复时限已过：此人超过 48 小时没有与公众号互动", USE_TEMPLATE),
    _row("45016", FIX, "系统自带的分组不能修改"),
    _row("45017", FIX, "分组名称太长", SHORTEN),
    _row("45018", FIX, "分组太多"),
    _row("45026", ADMIN, "模板已满（最多 25 个）", "请管理员在公众平台删去不用的模板。"),
    _row("45028", STOP, "本号的群发次数已用完", "下个周期再群发，或改用模板消息。", True),
    _row("45029", ADMIN, "永久二维码的总数已达上限"),
    _row("45034 45074", ADMIN, "公众平台的素材太多", "请管理员在公众平台删去旧的素材。"),
    _row("45035 61004", ADMIN, "本服务器的 IP 没有登记", "请管理员在微信后台登记本服务器的 IP。"),
    _row("45047", SKIP, "客服消息的条数已用完，要等此人再与公众号互动", USE_TEMPLATE),
    _row("45056", FIX, "标签太多（最多 100 个）"),
    _row("45057", FIX, "标签下的人太多，不能直接删除"),
    _row("45058", FIX, "系统自带的标签不能修改"),
    _row("45059", FIX, "此人身上的标签太多（最多 20 个）"),
    _row("45064", ADMIN, "菜单里的小程序还没有与公众号关联", "请管理员先在公众平台关联这个小程序。"),
    _row("45065", OK, "这一条群发已经提交过，没有重复发送"),
    _row("45066", WAIT, "同一条群发在一分钟内又提交了一次", wait_seconds=MINUTE),
    _row("45067", FIX, "群发的去重编号太长"),
    _row("45072", OK, "“正在输入”的状态写错，不影响消息"),
    _row("45080", OK, "此人 30 秒内没有互动，“正在输入”没有显示，不影响消息"),
    _row("45081", OK, "已经在显示“正在输入”"),
    _row("45083", FIX, "群发速度只能是 0 到 4"),
    _row("45084", FIX, "没有写群发速度"),
    _row("45085", BACKOFF, "微信没有取到群发速度"),
    _row("45087", STOP, "本号的客服消息已被封禁", APPEAL, True),
    _row("45098 45099", FIX, "菜单消息的选项太多或太长", SHORTEN),
    _row("45102", STOP, "这项功能被暂时封禁", APPEAL, True),
    _row("45103 46101 47009 48009", STOP, "微信已停用这项功能", "请把错误码告诉维护人员，改用其他方式。", True),
    _row("45157", FIX, "标签名重复或不合要求"),
    _row("45158", FIX, "标签名太长", SHORTEN),
    _row("45159", FIX, "标签不存在"),
    _row("45168", SKIP, "内容含有微信不允许的词", "请修改措辞后重新发送。", True),
    _row("46001", FIX, "素材不存在"),
    _row("46002", FIX, "菜单的版本不存在"),
    _row("46003", FIX, "自定义菜单不存在"),
    _row("46004", FIX, "用户不存在"),
    _row("47001 47002", FIX, "发出的内容格式有误，微信无法读取"),
    _row("47003", FIX, "模板里有一项不合要求（太长、为空或格式不对）", "请按错误信息里的字段名修改内容后再发。"),
    _row("48001", STOP, "本账号没有这项权限（未认证、类型不符或没有申请）",
         "请管理员在公众平台核对认证和接口权限；开通以前不要再发。", True),
    _row("48002", SKIP, "此人关闭了“接收消息”"),
    _row("48003", STOP, "账号的管理员还没有同意群发协议", "请管理员登录公众平台，打开群发页面点“同意”。", True),
    _row("48004", STOP, "这项功能已被微信封禁", APPEAL, True),
    _row("48005", FIX, "素材正被菜单或自动回复使用，不能删除"),
    _row("48006", ADMIN, "本月清零额度的次数已用完（每月十次）", "请等到下个月，或减少调用。"),
    _row("48008", STOP, "本账号不能发这种消息", tells_admin=True),
    _row("48011", STOP, "这个模板已停用", CHECK_TEMPLATE, True),
    _row("48013", FIX, "视频不是用新的方式上传的"),
    _row("48014 48015 48016", FIX, "文章的审核、留言或“阅读原文”设置不合要求"),
    _row("49003", SKIP, "收件人的微信编号不属于本账号", "不再发给此人；请本人在本公众号里重新绑定。"),
    _row("50001", SKIP, "此人没有授权这项功能", "需要时请本人重新授权。"),
    _row("50002", STOP, "账号受到限制、被冻结或已注销", tells_admin=True),
    _row("50004", STOP, "本账号不能用这种方式获取 access_token", tells_admin=True),
    _row("50005", SKIP, "此人没有关注公众号", "不再发给此人；请本人关注公众号，急事请打电话。"),
    _row("50007", STOP, "本账号已被冻结", APPEAL, True),
    _row("53503", ADMIN, "文章没有通过发布检查", "请管理员登录公众平台查看原因并修改。"),
    _row("53504", ADMIN, "这篇文章要在公众平台网页上操作", "请管理员登录公众平台网页发布。"),
    _row("53505", ADMIN, "这篇文章要先人工保存", "请管理员在公众平台打开草稿，保存后再发布。"),
    _row("61003 61007", ADMIN, "账号或这项功能没有授权给第三方平台"),
    _row("61010", SKIP, "凭证已过期", LOG_IN_AGAIN),
    _row("61450", BACKOFF, "微信客服系统出错", UNSURE, may_have_gone_out=True),
    _row("61452", FIX, "客服账号无效"),
    _row("61453", FIX, "客服账号已经存在"),
    _row("61454", FIX, "客服账号名太长（最多 10 个字母）"),
    _row("61455", FIX, "客服账号名只能用字母和数字"),
    _row("61456", FIX, "客服账号太多"),
    _row("61457", FIX, "客服头像的格式不对", "请换成 JPG 图片。"),
    _row("61500", FIX, "日期格式不对"),
    _row("61501", FIX, "日期范围不对"),
    _row("61503", WAIT, "统计数据还没有准备好", "一小时后自动再取。", wait_seconds=HOUR),
    _row("65301", FIX, "个性化菜单的编号不存在"),
    _row("65302", FIX, "没有这个用户"),
    _row("65303", FIX, "还没有默认菜单，不能建个性化菜单"),
    _row("65304", FIX, "个性化菜单没有写给谁看"),
    _row("65305", FIX, "个性化菜单太多"),
    _row("65306", ADMIN, "本账号不能使用个性化菜单"),
    _row("65307", FIX, "个性化菜单是空的"),
    _row("65308", FIX, "个性化菜单里有按钮没有动作"),
    _row("65309", ADMIN, "个性化菜单的开关没有打开", "请管理员在公众平台打开个性化菜单。"),
    _row("65310..65314", FIX, "个性化菜单的地区写得不全或不对"),
    _row("65316", ADMIN, "菜单里的外部域名太多（最多 3 个）"),
    _row("65317", FIX, "菜单里的网址不合要求"),
    _row("65319", ADMIN, "本账号不能设置这样的菜单"),
    _row("65400", ADMIN, "还没有开通新版客服功能", "请管理员在公众平台开通“客服功能”。"),
    _row("70000", SKIP, "微信为保护未成年人没有发出这条消息", "不再发给此人；请联系其监护人。"),
    _row("76003 76021", FIX, "查询额度的接口路径不对"),
    _row("76022", FIX, "查询额度的接口不属于本账号"),
    _row("85005", ADMIN, "公众号还没有与这个小程序关联", "请管理员先在公众平台关联这个小程序。"),
    _row("85079", ADMIN, "小程序还没有发布", "请管理员先发布小程序。"),
    _row("85096", FIX, "小程序码的参数用了微信保留的名字"),
    _row("85107", ADMIN, "云托管没有开放这个调用", "请管理员把这个路径加进云托管的“微信令牌”名单。"),
    _row("85113", BACKOFF, "云托管的凭证还没有准备好", wait_seconds=MINUTE),
    _row("85400", ADMIN, "长期有效的小程序链接已达上限"),
    _row("85401", FIX, "小程序链接的有效期不合要求"),
    _row("85402", FIX, "小程序链接的版本写错"),
    _row("85403..85408", ADMIN, "小程序链接不能生成：没有权限、次数用完或已被封禁"),
    _row("87009", FIX, "登录状态的签名不对"),
    _row("87014", SKIP, "内容没有通过微信的安全检查", "请修改措辞后重新提交。"),
    _row("88000", FIX, "没有留言的权限"),
    _row("88001", FIX, "文章不存在"),
    _row("88002", FIX, "文章受到限制"),
    _row("88003", SKIP, "精选留言已满"),
    _row("88004", SKIP, "留言已被本人删除", "不用处理。"),
    _row("88005", SKIP, "留言已经回复过", "不用处理。"),
    _row("88006..88010", FIX, "留言或回复不存在、太长或不合要求"),
    _row("89501 89502 89504 89505", WAIT, "这次调用要等账号的管理员确认",
         "请管理员在微信里确认；确认后自动继续。", True, wait_seconds=5 * MINUTE),
    _row("89503", WAIT, "新的服务器 IP 要等账号的管理员确认",
         "请管理员在微信里确认这个 IP；确认后自动继续。", True, wait_seconds=5 * MINUTE),
    _row("89506", STOP, "账号的管理员拒绝了这个服务器 IP", "请与管理员说明；24 小时后才能再试。", True, wait_seconds=DAY),
    _row("89507", STOP, "账号的管理员拒绝了这个服务器 IP", "请与管理员说明；1 小时后才能再试。", True, wait_seconds=HOUR),
    _row("200002", FIX, "订阅消息的参数不对"),
    _row("200011 200013", ADMIN, "账号或模板被封禁，不能选用订阅模板", APPEAL),
    _row("200012", ADMIN, "订阅模板已满（最多 50 个）", "请管理员在公众平台删去不用的模板。"),
    _row("200014", FIX, "订阅模板的编号不对"),
    _row("200015..200019", FIX, "订阅模板的设置不合要求"),
    _row("200020", FIX, "订阅模板的关键词不对"),
    _row("200021", FIX, "订阅模板的场景说明不对"),
    _row("200022", FIX, "这个订阅模板已经添加过"),
    _row("9001001..9001010 9001020..9001036", FIX, "“摇一摇周边”的参数不合要求（本系统不用这项功能）"),
)  # fmt: skip

CODES: dict[int, Code] = {code.code: code for row in _TABLE for code in row}


_TOKEN_CALLS = ("/cgi-bin/token", "/cgi-bin/stable_token")
_SEND_CALLS = ("/cgi-bin/message/",)
_LINK_CALLS = ("/wxa/generatescheme", "/wxa/generate_urllink", "/wxa/genwxashortlink")

#: What a code means for the calls whose path begins so; looked at before the table.
_OF_A_FAMILY: tuple[tuple[tuple[str, ...], tuple[Code, ...]], ...] = (
    (_TOKEN_CALLS, _row("40001", ADMIN, "AppSecret 不正确", CHECK_ACCOUNT)),
    (_LINK_CALLS, _row("40002", ADMIN, "本小程序没有生成链接的权限")),
    (_LINK_CALLS, _row("40013", ADMIN, "本小程序生成链接的功能已被封禁", APPEAL)),
    (_SEND_CALLS, _row("43104", FIX, "收件人的微信编号不属于本账号", "请本人在本公众号里重新绑定。")),
    (("/cgi-bin/menu/get",), _row("46003", OK, "还没有设置自定义菜单")),
    (("/wxa/msg_sec_check",), _row("61010", SKIP, "此人两小时内没有打开小程序，不能检查内容", "请本人打开小程序后再提交。")),
    (("/cgi-bin/comment/",), _row("87009", FIX, "这条回复不存在")),
)  # fmt: skip
_BY_FAMILY = {
    (start, code.code): code
    for starts, row in _OF_A_FAMILY
    for start in starts
    for code in row
}  # fmt: skip

#: The call was made and no answer came: it may have gone out.
TIMED_OUT = Code(-1, BACKOFF, "微信没有在规定时间内回答", UNSURE, may_have_gone_out=True)
#: The connection was refused or could not be made: the call never left.
UNREACHABLE = Code(-1, BACKOFF, "连不上微信的服务器，消息没有发出", "系统稍后会自动再试；一直如此请检查网络。")


def of(code: int, path: str = "") -> Code:
    """What `code` means as the answer to a call of `path`, for example "/cgi-bin/token"."""
    if code == 0:
        return CODES[0]
    for (start, family_code), meaning in _BY_FAMILY.items():
        if family_code == code and path.startswith(start):
            return meaning
    known = CODES.get(code)
    return known or Code(code, FIX, f"微信返回了未收录的错误码 {code}", USUAL_STEP[FIX], tells_admin=True)


def of_status(http_status: int) -> Code:
    """What an HTTP status other than 200 means; the body is then not WeChat's."""
    if http_status in {412, 429}:
        return Code(http_status, WAIT, "调用太频繁，被微信的网关拦下", USUAL_STEP[WAIT], wait_seconds=MINUTE)
    if http_status >= 500:
        return replace(TIMED_OUT, code=http_status, reason=f"微信的服务器出错（HTTP {http_status}）")
    return Code(http_status, FIX, f"微信返回了意外的状态（HTTP {http_status}）", USUAL_STEP[FIX], tells_admin=True)
