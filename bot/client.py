"""The ordinary calls to WeChat: time-outs, one token keeper, at most one refresh a call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import structlog
from requests.adapters import HTTPAdapter
from wechatpy import WeChatClient as SdkClient
from wechatpy.exceptions import WeChatClientException

from bot import errcodes
from bot.errcodes import Code, Reaction
from bot.tokens import Fetched, TokenKeeper, TokenUnavailable
from errors import AssistantError

log = structlog.get_logger("wechat")

CONNECT_TIMEOUT_SECONDS = 5.0


class CallFailed(AssistantError):
    """A call that gave no result; `code` says why and what to do."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code.says}{detail and f'（{detail}）'}")
        self.code = code
        self.detail = detail


class _Sdk(SdkClient):  # type: ignore[misc]
    """wechatpy's calls with our token, our time-outs and our host, also where it names a host itself."""

    def __init__(self, app_id: str, keeper: TokenKeeper, base_url: str, timeout: tuple[float, float]) -> None:
        super().__init__(app_id, "", timeout=timeout, auto_retry=False)
        self._keeper = keeper
        self._http.mount("https://", _OneHost(base_url))
        self._http.mount("http://", _OneHost(base_url))

    @property
    def access_token(self) -> str:
        return self._keeper.get()


class _OneHost(HTTPAdapter):
    """Sends what is meant for WeChat to the configured address, so that the local WeChat gets all of it."""

    def __init__(self, base_url: str) -> None:
        super().__init__(pool_connections=4, pool_maxsize=64, max_retries=0)
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        for host in ("https://api.weixin.qq.com", "https://mp.weixin.qq.com"):
            if request.url and request.url.startswith(host + "/"):
                request.url = self._base_url + request.url[len(host) :]
        return super().send(request, *args, **kwargs)


class Client:
    """The calls of one account. Raises CallFailed. What is sent goes through `bot/door.py`."""

    def __init__(self, app_id: str, keeper: TokenKeeper, base_url: str, timeout_seconds: float) -> None:
        self.keeper = keeper
        self._sdk = _Sdk(app_id, keeper, base_url, (CONNECT_TIMEOUT_SECONDS, timeout_seconds))
        self.app_id = app_id

    # --- what the account shows --------------------------------------------------------------------------

    def publish_menu(self, menu: Mapping[str, Any]) -> None:
        """Replace the account's menu (§4.2)."""
        self._call("/cgi-bin/menu/create", lambda: self._sdk.menu.create(dict(menu)))

    def qr_ticket(self, scene: str, seconds: int) -> str:
        """A temporary QR code that scans as `scene` (§4.4): the address to draw."""
        asked = {
            "expire_seconds": seconds,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        return str(self._call("/cgi-bin/qrcode/create", lambda: self._sdk.qrcode.create(asked))["url"])

    def templates(self) -> list[dict[str, Any]]:
        """The account's private templates (§4.6)."""
        result = self._call("/cgi-bin/template/get_all_private_template", self._sdk.template.get_all_private_template)
        return list(result["template_list"])

    def subscription_templates(self) -> list[dict[str, Any]]:
        """The account's templates for subscription notifications, in WeChat's own names (§4.7)."""
        path = "/wxaapi/newtmpl/gettemplate"
        return list(self._call(path, lambda: self._sdk.get(f"https://api.weixin.qq.com{path}"))["data"])

    def callback_addresses(self) -> list[str]:
        """Where callbacks come from (§4.1); the cheapest call that proves token and address."""
        return list(self._call("/cgi-bin/getcallbackip", lambda: self._sdk.get("getcallbackip"))["ip_list"])

    def menu(self) -> dict[str, Any] | None:
        """The menu as it is published now; None when there is none."""
        found = self._call("/cgi-bin/menu/get", self._sdk.menu.get)
        return dict(found["menu"]) if found else None

    def _call(self, path: str, call: Any) -> Any:
        """Make a call; when WeChat refuses the token, once more with another one. Never a loop (pitfall 2)."""
        used = self.keeper.get()
        try:
            return self._once(path, call)
        except CallFailed as error:
            if error.code.reaction is not Reaction.TOKEN:
                raise
        self.keeper.replace(used)
        try:
            result = self._once(path, call)
        except CallFailed as error:
            if error.code.reaction is Reaction.TOKEN:
                self.keeper.refused_again()
            raise
        self.keeper.confirm()
        return result

    def _once(self, path: str, call: Any) -> Any:
        try:
            result = call()
        except WeChatClientException as error:
            raise _translated(path, error) from None
        except requests.ConnectTimeout:
            raise CallFailed(errcodes.UNREACHABLE) from None
        except (requests.Timeout, requests.exceptions.ChunkedEncodingError):
            raise CallFailed(errcodes.TIMED_OUT) from None
        except requests.ConnectionError as error:
            # Refused before anything was sent, or cut off after it: only the first is certain not to have left.
            never_left = "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
            raise CallFailed(errcodes.UNREACHABLE if never_left else errcodes.TIMED_OUT) from None
        except requests.RequestException:
            raise CallFailed(errcodes.TIMED_OUT) from None
        if isinstance(result, requests.Response):
            # Not JSON, so not WeChat: something in between answered, and nobody knows what it did with the call.
            raise CallFailed(errcodes.TIMED_OUT, "回答不是微信的格式")
        return result


def _translated(path: str, error: WeChatClientException) -> CallFailed:
    if error.errcode is None:
        status = error.response.status_code if error.response is not None else 500
        return CallFailed(errcodes.of_status(status))
    code = errcodes.of(int(error.errcode), path)
    log.warning("wechat.refused", path=path, code=code.code, message=str(error.errmsg))
    return CallFailed(code, str(error.errmsg))


def stable_token(base_url: str, app_id: str, app_secret: str, timeout_seconds: float) -> Fetched:
    """The stable_token call in normal mode (§4.1). Raises TokenUnavailable; never shows the secret."""
    path = "/cgi-bin/stable_token"
    body = {"grant_type": "client_credential", "appid": app_id, "secret": app_secret}
    try:
        response = requests.post(
            base_url + path, json=body, timeout=(CONNECT_TIMEOUT_SECONDS, min(timeout_seconds, 6.0))
        )
        response.raise_for_status()
        result = response.json()
    except requests.HTTPError:
        raise TokenUnavailable(f"取 access_token 时微信返回 HTTP {response.status_code}。") from None
    except (requests.RequestException, ValueError):
        raise TokenUnavailable(f"取 access_token 时连不上 {base_url}。") from None
    if result.get("errcode"):
        code = errcodes.of(int(result["errcode"]), path)
        # WeChat's own words name the address that 40164 asks to be entered.
        raise TokenUnavailable(
            f"取 access_token 被拒（{code.code}）：{code.says}（微信原话：{result.get('errmsg', '')}）"
        )
    return Fetched(str(result["access_token"]), int(result.get("expires_in", 7200)))


def clock_of(base_url: str, timeout_seconds: float) -> datetime | None:
    """What time it is where calls go to, by the Date header; None when it cannot be told."""
    try:
        said = requests.head(base_url, timeout=(CONNECT_TIMEOUT_SECONDS, timeout_seconds)).headers.get("Date")
        return parsedate_to_datetime(said) if said else None
    except (requests.RequestException, ValueError):
        return None
