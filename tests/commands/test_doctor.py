"""doctor names what is wrong, and only that."""

import pytest
import requests
import sqlalchemy as sa

import config
from commands import checks_here, checks_wechat
from models import Person
from services.findings import Mark
from tests.conftest import SECRET, settings

REAL = "https://api.weixin.qq.com"


def marks(findings):
    return {(finding.mark, finding.says.split("：")[0]) for finding in findings}


def wrong(findings):
    return [finding.says for finding in findings if finding.mark is Mark.BAD]


@pytest.fixture
def healthy(house, on_database, monkeypatch):
    """A bot that runs, beside a WeChat that answers."""
    on_database(house.database.url.database)
    monkeypatch.setenv("BOT_WECHAT__API_BASE_URL", house.wechat.url)
    monkeypatch.setenv("BOT_SERVER__BASE_URL", house.url)
    # The bot's clock stands in the test's hand; the doctor looks at the machine's.
    from clock import now

    house.clock.at = now()
    return house


def test_templates_are_held_against_the_account_as_it_is_now(healthy, typed, monkeypatch):
    assert "✓ 模板 wechat.templates.study_day（党员学习日通知）：4 个字段都对上了" in typed("doctor", "wechat").out
    monkeypatch.setenv("BOT_WECHAT__TEMPLATES__BROADCAST__ID", "gone")
    said = typed("doctor", "wechat")
    assert said.code == 1
    assert "✗ 模板 wechat.templates.broadcast.id：账号里没有 gone" in said.out


def test_a_healthy_house_has_nothing_to_be_done(healthy, typed):
    said = typed("doctor")
    assert (said.code, said.err) == (0, "")
    assert "✗" not in said.out
    assert "地址验证" in said.out
    assert "通过签名和解密检查" in said.out
    assert "Redis：未配置，单机运行" in said.out


def test_the_callback_check_leaves_nothing_behind(healthy, typed):
    from models import Follower, InboxMessage

    def count():
        with healthy.database.reading() as session:
            return [session.scalar(sa.select(sa.func.count()).select_from(t)) for t in (InboxMessage, Follower)]

    before = count()
    typed("doctor", "wechat")
    assert count() == before


def test_another_token_is_named(healthy, typed, monkeypatch):
    monkeypatch.setenv("BOT_WECHAT__TOKEN", "othertoken")
    said = typed("doctor", "wechat")
    assert said.code == 1
    assert "✗ 回调：地址验证被拒：签名不对" in said.out


def test_another_aes_key_is_named(healthy, typed, monkeypatch):
    monkeypatch.setenv("BOT_WECHAT__ENCODING_AES_KEY", "Z" * 43)
    said = typed("doctor", "wechat").out
    assert "✓ 回调" in said  # the token is right
    assert "✗ 回调：试验消息被拒" in said


def test_another_mode_is_named(healthy, typed, monkeypatch):
    monkeypatch.setenv("BOT_WECHAT__MODE", "plain")
    said = typed("doctor")
    assert "! wechat.mode 是 plain" in said.out
    assert "但 wechat.mode 是 safe" in said.out


def test_a_bot_that_does_not_run_is_named(healthy, typed, monkeypatch):
    monkeypatch.setenv("BOT_SERVER__BASE_URL", "http://127.0.0.1:9")
    said = typed("doctor", "wechat")
    assert "✗ 回调：连不上 http://127.0.0.1:9/wechat" in said.out
    assert "机器人没有运行" in said.out


def test_a_path_that_leads_elsewhere_is_named(healthy, typed, monkeypatch):
    monkeypatch.setenv("BOT_SERVER__BASE_URL", f"{healthy.url}/elsewhere")
    assert "返回 404，那里没有机器人" in typed("doctor", "wechat").out


def test_a_wrong_secret_is_named_and_not_shown(healthy, typed, monkeypatch):
    monkeypatch.setenv("BOT_WECHAT__APP_SECRET", "f" * 32)
    said = typed("doctor", "wechat")
    assert said.code == 1
    assert "AppSecret 不正确" in said.out
    assert "f" * 32 not in said.out


def test_an_address_that_is_not_on_the_list_is_named(healthy, typed, monkeypatch):
    refused = requests.Response()
    refused.status_code = 200
    refused._content = b'{"errcode": 40164, "errmsg": "invalid ip 203.0.113.7, not in whitelist rid: 1"}'
    real = requests.post
    monkeypatch.setattr(requests, "post", lambda url, *a, **k: refused if "token" in url else real(url, *a, **k))
    said = typed("doctor", "wechat")
    assert "203.0.113.7" in said.out
    assert "白名单" in said.out


def test_an_unpublished_menu_is_a_note_and_a_published_one_is_compared(healthy, typed):
    assert "菜单：还没有发布" in typed("doctor", "wechat").out
    assert typed("menu", "publish").code == 0
    assert "菜单：已发布，与这个版本一致" in typed("doctor", "wechat").out


def test_another_menu_is_noticed():
    assert marks(checks_wechat.menu({"button": [{"name": "旧", "key": "OLD", "type": "click"}]})) == {
        (Mark.NOTE, "菜单")
    }


def test_public_secrets_at_the_real_wechat_are_wrong():
    found = wrong(checks_here.account(settings("sqlite:///x", api_base_url=REAL)))
    assert {each.split(" ")[0] for each in found} == {
        "wechat.app_id", "wechat.app_secret", "wechat.token", "wechat.encoding_aes_key", "server.base_url",
    }  # fmt: skip


def test_the_local_wechats_secrets_are_right_at_the_local_wechat():
    assert wrong(checks_here.account(settings("sqlite:///x", api_base_url="http://127.0.0.1:8001"))) == []


def test_a_key_that_others_can_read_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    key = tmp_path / "data" / "secret.key"
    key.write_text(SECRET)
    key.chmod(0o644)
    given = settings("sqlite:///x")
    monkeypatch.setattr(config, "ROOT", tmp_path)
    assert len(wrong(checks_here.secret_key(given))) == 1
    key.chmod(0o600)
    assert wrong(checks_here.secret_key(given)) == []


def test_a_database_without_tables_is_wrong(typed, on_database, tmp_path):
    on_database(tmp_path / "new.db")
    said = typed("doctor", "wechat")
    assert said.code == 1
    assert "python app.py migrate" in said.out


def test_a_key_that_does_not_open_what_is_there_is_wrong(healthy, typed, monkeypatch):
    with healthy.database.transaction() as session:
        session.add(Person(name="某人", phone="19900001111"))
    monkeypatch.setenv("BOT_SERVER__SECRET_KEY", "another secret, also forty characters long")
    assert "✗ 密钥：数据库里的内容是用另一个 server.secret_key 加密的" in typed("doctor").out


def test_redis_that_does_not_answer_is_wrong():
    given = settings("sqlite:///x").model_copy(update={"redis": config.Redis(url="redis://:secret@127.0.0.1:9/0")})
    (finding,) = checks_here.redis_server(given)
    assert finding.mark is Mark.BAD
    assert "secret" not in str(finding)


def test_a_configuration_that_cannot_be_read_is_said_and_ends_it(typed, on_database, tmp_path, monkeypatch):
    on_database(tmp_path / "x.db")
    monkeypatch.setenv("BOT_WECHAT__MODE", "secure")
    said = typed("doctor")
    assert said.code == 1
    assert "✗ 配置：配置项 wechat.mode 只能是" in said.out


def test_something_else_to_look_at_is_wrong_use(typed, on_database, tmp_path):
    on_database(tmp_path / "x.db")
    assert typed("doctor", "weather").code == 2
