"""Reads config.yaml and the environment once, into frozen values. A wrong value stops the start with one sentence."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from errors import ConfigurationError

ROOT = Path(__file__).resolve().parent
ENVIRONMENT_PREFIX = "BOT_"


def _wall_time(value: object) -> object:
    """Accept 08:30; YAML 1.1 reads an unquoted 20:00 as the number 1200 (base 60), so undo that."""
    if isinstance(value, int) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


WallTime = Annotated[time, BeforeValidator(_wall_time)]


class Part(BaseModel):
    """One block of the file: frozen, and a key that does not exist is an error, not a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Server(Part):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    base_url: str = "http://127.0.0.1:8000"
    secret_key: str = ""
    former_secret_keys: tuple[str, ...] = ()
    trusted_proxies: int = Field(0, ge=0, le=5)
    workers: int = Field(1, ge=1, le=64)
    threads: int = Field(32, ge=4, le=256)


class Template(Part):
    """A message template of the account: its id, and which of our texts goes into which field."""

    id: str
    fields: dict[str, str] = Field(min_length=1)


class WeChat(Part):
    app_id: str = "wxf0a1b2c3d4e5f607"
    app_secret: str = "0123456789abcdef0123456789abcdef"  # noqa: S105 - the local WeChat's own, public
    original_id: str = "gh_0a1b2c3d4e5f"
    token: str = "localwechat"  # noqa: S105 - the local WeChat's own, public
    encoding_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    mode: Literal["plain", "compatible", "safe"] = "safe"
    account_type: Literal["service", "subscription"] = "service"
    verified: bool = True
    api_base_url: str = "https://api.weixin.qq.com"
    timeout_seconds: float = Field(10, gt=0, le=60)
    messages_per_minute: int = Field(60, ge=10)
    templates: dict[str, Template] = {}
    subscriptions: dict[str, Template] = {}

    @field_validator("app_id")
    @classmethod
    def _app_id(cls, value: str) -> str:
        if not re.fullmatch(r"wx[0-9a-fA-F]{16}", value):
            raise ValueError("应为 wx 加 16 位十六进制字符，例如 wxf0a1b2c3d4e5f607")
        return value

    @field_validator("token")
    @classmethod
    def _token(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9]{3,32}", value):
            raise ValueError("应为 3–32 个字母或数字（与公众平台后台“服务器配置”里的一致），例如 localwechat")
        return value

    @field_validator("encoding_aes_key")
    @classmethod
    def _aes_key(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9+/]{43}", value):
            raise ValueError("应为 43 个字符（公众平台后台“消息加解密密钥”），现在不是")
        return value

    @field_validator("api_base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname:
            raise ValueError("应为网址，例如 https://api.weixin.qq.com")
        return value.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether calls go to this very machine, that is, to the local WeChat."""
        return urlsplit(self.api_base_url).hostname in {"127.0.0.1", "localhost", "::1"}


class MiniProgram(Part):
    app_id: str = ""
    app_secret: str = ""
    token: str = ""
    encoding_aes_key: str = ""
    format: Literal["xml", "json"] = "json"


class Database(Part):
    url: str = "sqlite:///data/bot.db"

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not re.match(r"(sqlite|postgresql\+psycopg|mysql\+pymysql|mariadb\+pymysql)://", value):
            raise ValueError("应为数据库地址，例如 sqlite:///data/bot.db 或 postgresql+psycopg://用户:密码@主机/库名")
        return value


class Redis(Part):
    url: str = ""


class Calendar(Part):
    second_week: Literal["second_friday", "second_row"] = "second_friday"
    on_holiday: Literal["skip", "before", "after"] = "before"


class StudyDay(Part):
    notice_at: WallTime = time(8, 30)
    check_in_from: WallTime = time(8, 30)
    check_in_until: WallTime = time(20, 0)
    weeks_ahead: int = Field(8, ge=1, le=52)

    @model_validator(mode="after")
    def _ordered(self) -> StudyDay:
        if self.check_in_from >= self.check_in_until:
            raise ValueError("check_in_from 应早于 check_in_until，例如 08:30 与 20:00")
        return self


class Sending(Part):
    per_second: float = Field(20, gt=0, le=20_000)
    connections: int = Field(8, ge=1, le=2048)
    quiet_from: WallTime = time(21, 30)
    quiet_until: WallTime = time(7, 30)
    not_after_minutes: int = Field(150, ge=1)
    approval_above: int = Field(500, ge=0)
    per_week: int = Field(3, ge=1, le=50)
    digest_at: WallTime = time(17, 0)
    daily_templates: int = Field(100_000, ge=1)
    daily_customer_messages: int = Field(500_000, ge=1)
    daily_mass_messages: int = Field(100, ge=1)


class Privacy(Part):
    consultation_days: int = Field(365, ge=30, le=3650)


class Elections(Part):
    """By what a committee's election is judged (services/elections/rules.py)."""

    quorum: str = "4/5"
    majority_of: Literal["due", "present"] = "due"
    term_years: int = Field(3, ge=1, le=5)

    @field_validator("quorum")
    @classmethod
    def _quorum(cls, value: str) -> str:
        found = re.fullmatch(r"([1-9]\d?)/([1-9]\d?)", value)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError("应为不大于一的分数，例如 4/5")
        return value

    @property
    def quorum_parts(self) -> tuple[int, int]:
        """How many of how many have to be there."""
        top, _, bottom = self.quorum.partition("/")
        return int(top), int(bottom)


class Settings(Part):
    server: Server = Server()
    wechat: WeChat = WeChat()
    mini_program: MiniProgram = MiniProgram()
    database: Database = Database()
    redis: Redis = Redis()
    calendar: Calendar = Calendar()
    study_day: StudyDay = StudyDay()
    sending: Sending = Sending()
    privacy: Privacy = Privacy()
    elections: Elections = Elections()


EXAMPLES = {
    "int": "8000",
    "bool": "true",
    "time": "08:30",
    "url": "sqlite:///data/bot.db",
}


def load(environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> Settings:
    """Settings from the file (BOT_CONFIG, else config.yaml, else config.example.yaml) and BOT_… variables.

    Raises ConfigurationError with one sentence that names the key, what is wrong, and an example.
    """
    values = _read_file(_file(environ, root))
    for name, text in environ.items():
        if name.startswith(ENVIRONMENT_PREFIX) and name != "BOT_CONFIG":
            _put(values, name[len(ENVIRONMENT_PREFIX) :].lower().split("__"), text, name)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from None
    return _with_secret_key(_with_absolute_sqlite(settings, root), root)


def _file(environ: Mapping[str, str], root: Path) -> Path:
    if "BOT_CONFIG" in environ:
        return Path(environ["BOT_CONFIG"])
    own = root / "config.yaml"
    return own if own.exists() else root / "config.example.yaml"


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"读不到配置文件 {path}：{error.strerror}。请复制 config.example.yaml。") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"第 {mark.line + 1} 行" if mark else "编码（应为 UTF-8）"
        raise ConfigurationError(f"配置文件 {path} 的{where}写错了；可对照 config.example.yaml。") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"配置文件 {path} 应为“键: 值”的形式；可对照 config.example.yaml。")
    return values


def _put(values: dict[str, Any], keys: list[str], text: str, name: str) -> None:
    """Lay one environment variable over the file's values, parsed as YAML would parse it there."""
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"环境变量 {name} 指向 {key} 之内，但 {key} 不是一组配置。")
        values = inner
    if not text or keys[-1] in {"token", "app_secret", "secret_key", "app_id"}:
        values[keys[-1]] = text
    else:
        try:
            values[keys[-1]] = yaml.safe_load(text)
        except yaml.YAMLError:
            values[keys[-1]] = text


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "（顶层）"
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"配置项 {key} 不存在；请检查拼写，可用的键见 config.example.yaml。"
    if kind == "missing":
        return f"配置项 {key} 缺少；写法见 config.example.yaml。"
    if kind == "literal_error":
        return f"配置项 {key} 只能是 {first['ctx']['expected'].replace(' or ', ' 或 ')} 之一。"
    if kind == "value_error":
        return f"配置项 {key} 不对：{first['ctx']['error']}。"
    wanted = next((name for name in EXAMPLES if kind.startswith(name)), None)
    example = f"，例如 {EXAMPLES[wanted]}" if wanted else ""
    limits = {k: v for k, v in first.get("ctx", {}).items() if k in {"ge", "gt", "le", "lt"}}
    names = {"ge": "不小于", "gt": "大于", "le": "不大于", "lt": "小于"}
    bounds = "、".join(f"{names[k]} {v}" for k, v in limits.items())
    what = (
        f"应{bounds}"
        if bounds
        else {
            "int": "应为整数",
            "bool": "应为 true 或 false",
            "time": "应为时刻",
            "float": "应为数字",
            "string": "应为文字（加上引号）",
            "dict": "应为一组键值",
            "model": "应为一组键值",
        }.get(kind.split("_")[0], "写法不对")
    )
    return f"配置项 {key} {what}{example}。"


def _with_absolute_sqlite(settings: Settings, root: Path) -> Settings:
    """A relative SQLite path means: below the project, wherever the command was started."""
    prefix = "sqlite:///"
    url = settings.database.url
    if url.startswith(prefix) and not url.startswith(prefix + "/") and url != prefix + ":memory:":
        url = prefix + str(root / url[len(prefix) :])
    return settings.model_copy(update={"database": Database(url=url)})


def _with_secret_key(settings: Settings, root: Path) -> Settings:
    """Without a key of its own the installation makes one, once, readable by its user only."""
    if settings.server.secret_key:
        if len(settings.server.secret_key) < 32:
            raise ConfigurationError(
                "配置项 server.secret_key 太短：至少 32 个字符；留空则自动生成到 data/secret.key。"
            )
        return settings
    path = root / "data" / "secret.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        key = path.read_text("ascii").strip()
    except OSError as error:
        raise ConfigurationError(
            f"写不了 {path}：{error.strerror}。请检查目录权限，或设置 server.secret_key。"
        ) from None
    if len(key) < 32:
        raise ConfigurationError(f"{path} 不完整：应至少 32 个字符。请从备份恢复它；没有它，已加密的内容无法读出。")
    return settings.model_copy(update={"server": settings.server.model_copy(update={"secret_key": key})})


def _make_key(path: Path) -> None:
    """Write a new key whole before it gets its name: of two processes that start at once both read the same one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
