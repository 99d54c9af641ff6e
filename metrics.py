"""What is counted and seen from outside (`/metrics`). One object, made by the app and handed to who counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The product's figures in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "assistant_messages_total", "Messages by how they ended", ["outcome"], registry=self.registry
        )
        self.refused = Counter(
            "assistant_refused_total",
            "Callbacks refused, by the check that failed",
            ["check"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "assistant_answer_seconds",
            "From arrival to answer",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 4.5),
            registry=self.registry,
        )
        self.batch = Histogram(
            "assistant_batch_messages",
            "Messages stored by one commit",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )
        self.sends = Counter(
            "assistant_sends_total",
            "Calls that send, by channel and fate",
            ["channel", "fate"],
            registry=self.registry,
        )
        self.token_fetches = Counter(
            "assistant_token_fetches_total", "Calls for an access token", ["outcome"], registry=self.registry
        )
        self.outbox = Gauge("assistant_outbox_rows", "Outbox rows by state", ["state"], registry=self.registry)
        self.dues = Gauge("assistant_dues", "Due-table rows by state", ["state"], registry=self.registry)
        self._gauge_sending()

    def _gauge_sending(self) -> None:
        """What an operator wants an alarm for: is anything stuck, held, or about to run out."""
        here = self.registry
        self.oldest_waiting = Gauge(
            "assistant_outbox_oldest_waiting_seconds",
            "How long the oldest row that may leave has been due",
            registry=here,
        )
        self.campaigns = Gauge("assistant_campaigns", "Campaigns by state", ["state"], registry=here)
        self.quota_used = Gauge("assistant_quota_used", "Calls made today", ["channel"], registry=here)
        self.quota_left = Gauge("assistant_quota_left", "Calls left today, where limited", ["channel"], registry=here)
        self.circuit = Gauge("assistant_circuit_open", "1 while calls to WeChat are paused", ["app"], registry=here)
        self.senders = Gauge("assistant_senders", "Senders alive", registry=here)
        self.pace_held = Gauge(
            "assistant_pace_held_seconds",
            "How long nothing leaves because WeChat said we are too fast",
            registry=here,
        )

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
