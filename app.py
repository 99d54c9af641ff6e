"""法学会助手: makes every part and hands it to those that need it. `python app.py --help` lists the commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import admin
import clock
import handlers
from api import v1
from bot import tokens, webhook
from bot.client import Client, stable_token
from bot.desk import Desk
from bot.door import Door
from bot.inbox import SqlInbox
from bot.router import Router
from clock import Now
from config import Settings, WeChat
from handlers import template_limits
from handlers.context import Context
from metrics import Metrics
from models import Channel, Database, NoticeKind, Vault
from scheduler import template_checks, timetable
from scheduler.bell import Bell
from scheduler.clockwork import Clockwork
from scheduler.delivery import Delivery
from scheduler.importing import Importing
from services.sending import ladder, outbox
from services.sending.ladder import Account
from web import refusals, status
from web.entrance import Entrance
from web.numbers import Number

FASTEST = 20_000.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything one process may need; making it opens no connection and starts no thread."""

    settings: Settings
    now: Now
    metrics: Metrics
    database: Database
    clients: dict[str, Client]

    @property
    def router(self) -> Router:
        """Who answers what; made by those who hear people, because a sender can do without its words."""
        return handlers.router(Context(self.settings, self.database.vault))

    def desk(self, router: Router | None = None) -> Desk:
        """Starts the threads that take messages; `router` stands in for the house's own."""
        answers = router or self.router
        return Desk(SqlInbox(outbox.push_late), answers, self.database.transaction, self.now, self.metrics)

    def delivery(self, only_queued_at: datetime | None = None) -> Delivery:
        """One sender; with an instant, only what was queued at it, as if it were now."""
        sending = self.settings.sending
        if only_queued_at is not None and self.settings.wechat.is_local:
            # A rehearsal with the local WeChat burdens nobody.
            sending = sending.model_copy(update={"per_second": FASTEST})
        return Delivery(
            self.database,
            self.accounts(),
            {app: self._door(client) for app, client in self.clients.items()},
            sending,
            clock.frozen(only_queued_at) if only_queued_at else self.now,
            self.metrics,
            wall=clock.now if only_queued_at else self.now,
            only_queued_at=only_queued_at,
        )

    def bell(self) -> Bell:
        """What tells the senders that there is work: Redis where there is one, else this process."""
        return Bell(self.settings.redis.url)

    def accounts(self) -> dict[str, Account]:
        """What each of our WeChat accounts may send."""
        official = {"official": ladder.official(self.settings.wechat)}
        return official | ({"mini": ladder.mini_program()} if "mini" in self.clients else {})

    def _door(self, client: Client) -> Door:
        wechat, sending = self.settings.wechat, self.settings.sending
        return Door(client.keeper, wechat.api_base_url, sending.connections, wechat.timeout_seconds)

    def clockwork(self) -> Clockwork:
        return Clockwork(self.database, timetable.rules(self.settings))

    def importing(self) -> Importing:
        """Whoever looks through and writes the tables that were sent at the desk."""
        return Importing(self.database, self.now)


def make(settings: Settings, now: Now = clock.now) -> Parts:
    """Make the parts from the settings."""
    metrics = Metrics()
    database = Database(settings.database.url, Vault(settings.server.secret_key, *settings.server.former_secret_keys))
    clients = {
        "official": _client(
            settings.wechat, settings.wechat.app_id, settings.wechat.app_secret, database, now, metrics
        )
    }
    mini = settings.mini_program
    if mini.app_id:
        clients["mini"] = _client(settings.wechat, mini.app_id, mini.app_secret, database, now, metrics)
    return Parts(settings, now, metrics, database, clients)


def _client(wechat: WeChat, app_id: str, app_secret: str, database: Database, now: Now, metrics: Metrics) -> Client:
    fetch = partial(stable_token, wechat.api_base_url, app_id, app_secret, wechat.timeout_seconds)
    keeper = tokens.TokenKeeper(app_id, fetch, database.transaction, now, metrics)
    return Client(app_id, keeper, wechat.api_base_url, wechat.timeout_seconds)


def web(parts: Parts, desk: Desk) -> Entrance:
    """What the server calls: WeChat's callbacks, and the pages."""
    return Entrance(doors(parts, desk), pages(parts), parts.settings.server.threads)


def doors(parts: Parts, desk: Desk) -> dict[str, webhook.Webhook]:
    """Where WeChat calls, by path."""
    return {
        path: webhook.Webhook(account, desk, parts.now, parts.metrics, parts.settings.wechat.messages_per_minute)
        for path, account in _accounts(parts.settings)
    }


def pages(parts: Parts) -> Flask:
    """The Flask application: the JSON API, what operators look at, the console."""
    app = Flask("assistant", static_folder=None)
    app.url_map.converters["int"] = Number
    if proxies := parts.settings.server.trusted_proxies:
        # Each proxy of ours adds one entry; what stands before those was written by whoever asked.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    app.config["MAX_CONTENT_LENGTH"] = webhook.MAX_BODY_BYTES
    app.register_blueprint(v1.blueprint(parts.settings, parts.database, parts.now))
    app.register_blueprint(status.blueprint(parts.settings, parts.database, parts.metrics, parts.now))
    rules = tuple(admin.Reason(rule.name, rule.says, rule.is_on) for rule in timetable.rules(parts.settings))
    console = admin.Console(
        parts.settings,
        parts.database,
        parts.now,
        _wording(parts.settings),
        partial(template_checks.check, parts.settings.wechat),
        rules,
        _scan_code(parts),
    )
    admin.attach(app, console)
    refusals.attach(app)
    return app


def _scan_code(parts: Parts) -> Callable[[str, int], str] | None:
    """How the console gets a code for logging in: only a verified service account can make any (§4.4)."""
    wechat = parts.settings.wechat
    may = wechat.account_type == "service" and wechat.verified
    return parts.clients["official"].qr_ticket if may else None


def _wording(settings: Settings) -> admin.Wording:
    """What the account's template shows of a broadcast; the chat measures it in the same way."""
    template = ladder.official(settings.wechat).template(Channel.TEMPLATE, NoticeKind.BROADCAST)
    return admin.Wording(
        partial(template_limits.room, template, "title"), partial(template_limits.shortened, template)
    )


def _accounts(settings: Settings) -> list[tuple[str, webhook.Account]]:
    wechat, mini = settings.wechat, settings.mini_program
    official = webhook.Account("official", wechat.app_id, wechat.token, wechat.mode, wechat.encoding_aes_key)
    accounts = [("/wechat", official)]
    if mini.app_id:
        mode: webhook.Mode = "safe" if mini.encoding_aes_key else "plain"
        is_json = mini.format == "json"
        account = webhook.Account("mini", mini.app_id, mini.token, mode, mini.encoding_aes_key, is_json)
        accounts.append(("/wechat/mini", account))
    return accounts


if __name__ == "__main__":
    from commands import main

    main()
