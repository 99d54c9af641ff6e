"""What was sent to whom, and what people see in their chats; optionally kept in a file."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

Json = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """One send call: the body as it came, the result, never the access token."""

    id: int
    at: float
    path: str
    openids: tuple[str, ...]
    raw: bytes
    code: int
    msgid: int
    status: str = ""  # a template message's later result (§2.3)

    def body(self) -> Any:
        """The call's JSON, or None when it was none."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return None

    def show(self) -> Json:
        """For drills; ``openids`` only where it is more than one."""
        return {
            "id": self.id,
            "at": self.at,
            "path": self.path,
            "openid": self.openids[0] if self.openids else "",
            "openids": list(self.openids) if len(self.openids) > 1 else None,
            "body": self.body(),
            "errcode": self.code,
            "msgid": str(self.msgid) if self.msgid else None,
            "status": self.status or None,
        }


@dataclass(slots=True)
class Line:
    """One line of a chat. ``side``: person, account, or notice (grey, from WeChat)."""

    id: int
    at: float
    side: str
    kind: str
    text: str
    data: Json | None = None
    sent: Sent | None = None


class Journal:
    """All sends and all chats, each indexed by person."""

    def __init__(self, watch: Callable[[str, Line], None]) -> None:
        self._watch = watch
        self._file: TextIO | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything that was sent and said."""
        self._next = 1
        self.sent: list[Sent] = []
        self._by_openid: dict[str, list[Sent]] = {}
        self._counts: dict[tuple[str, int], Counter[str]] = {}
        self._chats: dict[str, list[Line]] = {}

    def record(self, entry: Sent) -> None:
        """Note one send."""
        entry.id = self._next
        self._next += 1
        self.sent.append(entry)
        counts = self._counts.setdefault((entry.path, entry.code), Counter())
        for openid in entry.openids:
            self._by_openid.setdefault(openid, []).append(entry)
            counts[openid] += 1
        if self._file:
            text = entry.raw.decode("utf-8", "replace")
            kept = [entry.at, entry.path, entry.openids, text, entry.code, entry.msgid, entry.status]
            self._keep({"sent": kept})

    def to(self, openid: str) -> list[Sent]:
        """What was sent to one person."""
        return self._by_openid.get(openid, [])

    def counts(self, path: str | None = None, code: int | None = 0) -> Counter[str]:
        """Sends per person, of one path and one result (None = all)."""
        total: Counter[str] = Counter()
        for (sent_path, sent_code), counts in self._counts.items():
            if path in (None, sent_path) and code in (None, sent_code):
                total.update(counts)
        return total

    def say(self, openid: str, line: Line) -> Line:
        """Add a line to a person's chat."""
        line.id = self._next
        self._next += 1
        self._chats.setdefault(openid, []).append(line)
        if self._file and line.sent is None:
            self._keep({"line": [openid, line.at, line.side, line.kind, line.text, line.data]})
        self._watch(openid, line)
        return line

    def chat(self, openid: str) -> list[Line]:
        """The whole conversation of one person."""
        return self._chats.get(openid, [])

    def note(self, entry: Json) -> None:
        """Keep a change that is neither a send nor a line (follow, unfollow)."""
        if self._file:
            self._keep(entry)

    def _keep(self, entry: Json) -> None:
        assert self._file is not None
        self._file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n")

    def open(self, path: Path) -> Iterator[Json]:
        """The entries of an earlier run, and from now on a file that grows; a torn last line is left out."""
        if path.exists():
            with path.open(encoding="utf-8") as file:
                for text in file:
                    try:
                        yield json.loads(text)
                    except ValueError:
                        continue
        self._file = path.open("a", encoding="utf-8")
        self._file.write("\n")  # ends a line that a crash may have torn

    def flush(self) -> None:
        """Bring the file up to date."""
        if self._file:
            self._file.flush()

    def close(self) -> None:
        """No more is kept."""
        if self._file:
            self._file.close()
            self._file = None
