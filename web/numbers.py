"""Numbers in addresses: what no table can hold is no page."""

from __future__ import annotations

from typing import Any

from werkzeug.routing import IntegerConverter, Map

#: The largest key that every one of the three databases takes.
LARGEST = 2**31 - 1


class Number(IntegerConverter):
    """As `<int:…>` reads it, but no larger than a key can be."""

    def __init__(self, url_map: Map, *args: Any, **kwargs: Any) -> None:
        super().__init__(url_map, *args, **{"max": LARGEST, **kwargs})
