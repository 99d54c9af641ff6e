"""What the audit's acts are called on a page. A test sees to it that every act in the code has its Chinese here."""

from __future__ import annotations

import re

ACTS = {
    "account.add": "新建账号",
    "account.backup_code": "用备用码登录",
    "account.close": "停用账号",
    "account.locked": "账号锁定",
    "account.login": "登录",
    "account.password": "改密码",
    "account.password_right": "密码正确，待验证码",
    "account.reset": "重置账号",
    "account.scan": "扫码登录，本人已确认",
    "account.scan_off": "关闭扫码登录",
    "account.scan_on": "打开扫码登录",
    "account.scan_refused": "扫码登录被本人取消",
    "account.session_end": "结束一处登录",
    "account.sessions_end": "结束全部登录",
    "account.totp": "绑定手机验证器",
    "account.wrong": "密码或验证码不对",
    "attendance.proxy": "代签",
    "attendance.undo": "撤销签到",
    "audience.save": "保存名单",
    "backup": "备份",
    "branch.change": "变更支部",
    "branch.dissolve": "撤销支部",
    "branch.found": "建立支部",
    "branch.merge": "合并支部",
    "branch.restore": "恢复支部",
    "brand.change": "修改品牌主题",
    "brand.put_back": "放回品牌故事",
    "brand.story": "写品牌故事",
    "brand.withdraw": "撤下品牌故事",
    "broadcast.cancel": "撤销群发",
    "broadcast.confirm": "确认群发",
    "broadcast.draft": "起草群发",
    "broadcast.return": "退回群发",
    "broadcast.submit": "提交群发审核",
    "broadcast.urgent": "立即发送",
    "campaign.cancelled": "撤销发送",
    "campaign.paused": "暂停发送",
    "campaign.retry": "重试没送到的",
    "campaign.running": "继续发送",
    "campaign.stopped": "发送自动停下",
    "case.danger": "紧急咨询报警",
    "case.erased": "删除咨询内容",
    "case.read": "查看咨询内容",
    "case.refused": "越权查咨询",
    "console.refused": "越权访问页面",
    "election.discard": "删除选举草稿",
    "election.draft": "登记选举",
    "election.record": "选举记录存档",
    "election.set_aside": "撤销选举记录",
    "export": "导出",
    "export.unmasked": "导出（未遮蔽）",
    "gathering.move": "活动改期",
    "gathering.topic": "定活动主题",
    "import.branches": "导入支部",
    "import.drop": "放弃导入",
    "import.holidays": "导入假期",
    "import.people": "导入名册",
    "import.publicity": "导入宣传台账",
    "key.resealed": "全部重新加密",
    "key.rewrap": "重新包装密钥",
    "key.rotate": "轮换密钥",
    "import.stations": "导入服务站",
    "import.upload": "上传导入文件",
    "leave.granted": "准假",
    "leave.refused": "不准假",
    "organisation.add": "登记党组、党总支",
    "organisation.change": "修改党组、党总支",
    "outbox.resolve": "核实结果不明的",
    "party_group.end": "撤销党小组",
    "party_group.resume": "恢复党小组",
    "party_group.save": "编党小组",
    "people.add": "登记人员",
    "people.bind": "绑定微信",
    "people.claim": "申请绑定",
    "people.claim_asked": "绑定请书记确认",
    "people.claim_refused": "拒绝绑定",
    "people.edit": "改姓名、手机号",
    "people.flow": "登记流动",
    "people.flow_end": "流动结束",
    "people.invite": "发邀请码",
    "people.join": "加入支部",
    "people.leave": "离开支部",
    "people.maybe_same": "重新列为疑似重复",
    "people.merge": "合并重复人员",
    "people.move": "转主支部",
    "people.not_same": "记下不是同一个人",
    "people.phone_shown": "查看手机号",
    "people.undo": "撤销名册改动",
    "people.unbind": "解除绑定",
    "people.wrong_code": "邀请码不对",
    "point.close": "结束联络点",
    "point.open": "设联络点",
    "point.phone_shown": "查看联络点手机号",
    "point.resume": "恢复联络点",
    "picture.add": "放图片",
    "picture.change": "换图片",
    "picture.remove": "删除图片",
    "post.appoint": "任命",
    "post.end": "免职",
    "post.extend": "改任期",
    "privacy.erase": "删除个人信息",
    "privacy.export": "查阅个人信息",
    "restore": "恢复备份",
    "retention.erased": "保存期满清除",
    "rule.off": "关闭规则",
    "rule.on": "打开规则",
    "sending.allow": "允许发送",
    "sending.stop": "停止发送",
    "station.add": "登记服务站",
    "station.change": "修改服务站",
    "station.reopen": "恢复服务站",
    "station.shut": "关停服务站",
    "templates.sync": "同步模板",
    "village.add": "登记乡镇、村",
    "village.remove": "删除乡镇、村",
}
#: What an auditor asks for first: acts that belong together.
GROUPS = {
    "entering": ("登录和账号", tuple(act for act in ACTS if act.startswith("account."))),
    "looking": (
        "查看个人信息",
        ("people.phone_shown", "point.phone_shown", "case.read", "privacy.export", "export", "export.unmasked"),
    ),
    "refused": (
        "越权和拒绝",
        ("console.refused", "case.refused", "people.wrong_code", "account.wrong", "account.locked"),
    ),
    "sending": (
        "群发和发送",
        tuple(
            act
            for act in ACTS
            if act.startswith(("audience.", "broadcast.", "campaign.", "outbox.", "rule.", "sending."))
        ),
    ),
    "roll": (
        "名册和考勤",
        tuple(act for act in ACTS if act.startswith(("people.", "post.", "attendance.", "leave."))),
    ),
    "organisation": (
        "组织、服务站、联络点",
        tuple(
            act
            for act in ACTS
            if act.startswith(
                ("branch.", "brand.", "election.", "organisation.", "party_group.", "point.", "station.", "village.")
            )
        ),
    ),
    "keeping": (
        "备份、导入、删除",
        (
            "backup",
            "restore",
            "privacy.erase",
            "case.erased",
            *(a for a in ACTS if a.startswith(("import.", "key."))),
        ),
    ),
}
#: What entries are about: the word before the colon. Others stand as they are.
SUBJECTS = {
    "account": "账号", "audience": "名单", "branch": "支部", "broadcast": "群发", "case": "咨询", "county": "县区",
    "election": "选举记录", "gathering": "活动", "import": "导入", "list": "列表", "openid": "微信",
    "organisation": "组织", "person": "人员", "point": "联络点", "rule": "规则", "station": "服务站", "story": "故事",
    "township": "乡镇", "village": "村",
}  # fmt: skip
#: An openid is personal data: enough is shown to tell two apart.
OPENID = "openid:"
SHOWN = 6
_OPENIDS = re.compile(r"\bo[A-Za-z0-9_-]{27}\b")


def act(name: str) -> str:
    return ACTS.get(name, name)


def details(said: str | None) -> str:
    """What an entry adds; an openid in it is cut short as well."""
    return _OPENIDS.sub(lambda found: f"{found[0][:SHOWN]}…", said or "")


def subject(said: str) -> str:
    """What an entry is about, in words, with openids cut short."""
    if said.startswith(OPENID):
        return f"微信 {said[len(OPENID) : len(OPENID) + SHOWN]}…"
    kind, colon, which = said.partition(":")
    return f"{SUBJECTS[kind]} {which}" if colon and kind in SUBJECTS else said


def stored(asked: str) -> str:
    """The same the other way: “账号 office”, as it is read on the page, is kept as “account:office”."""
    word, _blank, which = asked.partition(" ")
    return next((f"{kind}:{which}" for kind, label in SUBJECTS.items() if label == word), asked)
