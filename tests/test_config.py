"""A wrong configuration stops the start with one sentence that names the key, what is wrong, and an example."""

from __future__ import annotations

import pytest
import yaml

import config
from errors import ConfigurationError

KEY = {"BOT_SERVER__SECRET_KEY": "k" * 40}


def load(tmp_path, text="", **environ):
    file = tmp_path / "config.yaml"
    file.write_text(text, "utf-8")
    return config.load({"BOT_CONFIG": str(file), **KEY, **environ}, tmp_path)


def test_nothing_given_means_the_defaults(tmp_path):
    settings = load(tmp_path)
    assert settings.server.port == 8000
    assert settings.wechat.mode == "safe"
    assert settings.wechat.api_base_url == "https://api.weixin.qq.com"
    assert settings.calendar.second_week == "second_friday"
    assert settings.calendar.on_holiday == "before"
    assert f"{settings.study_day.notice_at:%H:%M}" == "08:30"


def test_the_example_can_be_read_and_has_every_key():
    """Every setting stands in the example (house-style.md 13)."""
    example = yaml.safe_load((config.ROOT / "config.example.yaml").read_text("utf-8"))
    for block, model in config.Settings.model_fields.items():
        assert set(example[block]) == set(model.annotation.model_fields), block
    config.load({"BOT_CONFIG": str(config.ROOT / "config.example.yaml"), **KEY})


def test_the_environment_wins(tmp_path):
    settings = load(tmp_path, "server: {port: 1}", BOT_SERVER__PORT="8010", BOT_WECHAT__TOKEN="12345")
    assert settings.server.port == 8010
    assert settings.wechat.token == "12345"


@pytest.mark.parametrize(
    ("text", "names", "says"),
    [
        ("server: {port: 99999}", "server.port", "不大于 65535"),
        ("server: {port: abc}", "server.port", "整数"),
        ("server: {prt: 1}", "server.prt", "不存在"),
        ("wechat: {mode: aes}", "wechat.mode", "plain"),
        ("wechat: {token: 'a b'}", "wechat.token", "3–32"),
        ("wechat: {app_id: gh_1}", "wechat.app_id", "wx"),
        ("wechat: {encoding_aes_key: short}", "wechat.encoding_aes_key", "43"),
        ("wechat: {api_base_url: weixin}", "wechat.api_base_url", "https://"),
        ("wechat: {verified: maybe}", "wechat.verified", "true"),
        ("study_day: {notice_at: noon}", "study_day.notice_at", "08:30"),
        ("study_day: {check_in_from: '21:00'}", "study_day", "check_in_from"),
        ("calendar: {on_holiday: never}", "calendar.on_holiday", "skip"),
        ("wechat: {templates: {broadcast: {fields: {thing1: x}}}}", "wechat.templates.broadcast.id", "缺少"),
        ("redis: 5", "redis", "一组键值"),
        ("- a", "config.yaml", "键: 值"),
        ("a: [", "config.yaml", "行"),
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path, text, names, says):
    with pytest.raises(ConfigurationError) as wrong:
        load(tmp_path, text)
    sentence = str(wrong.value)
    assert names in sentence
    assert says in sentence
    assert "\n" not in sentence


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere.yaml"):
        config.load({"BOT_CONFIG": str(tmp_path / "nowhere.yaml")}, tmp_path)


def test_a_secret_is_never_shown(tmp_path):
    with pytest.raises(ConfigurationError) as wrong:
        load(tmp_path, "wechat: {token: 'my secret token!'}")
    assert "my secret" not in str(wrong.value)


def test_the_key_is_made_once_and_kept(tmp_path):
    environ = {"BOT_CONFIG": str(tmp_path / "c.yaml")}
    (tmp_path / "c.yaml").write_text("", "utf-8")
    first, second = config.load(environ, tmp_path), config.load(environ, tmp_path)
    assert first.server.secret_key == second.server.secret_key
    assert len(first.server.secret_key) >= 32
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o077 == 0


def test_a_time_without_quotes_is_understood(tmp_path):
    """YAML 1.1 reads 20:00 as 1200."""
    settings = load(tmp_path, "study_day: {check_in_until: 20:00}")
    assert f"{settings.study_day.check_in_until:%H:%M}" == "20:00"
