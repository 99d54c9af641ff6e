"""The console: pages from the server, a login before everything, in Chinese, for a desk and for a phone."""

from admin.console import attach
from admin.views.context import Console, Reason, Wording

__all__ = ["Console", "Reason", "Wording", "attach"]
