"""The demo data set: a law society as large as the real one, in which nobody and no firm exists (F145).

The numbers, the kinds of branch, the counties and their brands are those of the work report; every name,
address, telephone number and WeChat account is invented. It is written only into a database without real branches.
"""

from demo.days import open_now, open_today
from demo.history import write_history
from demo.loading import Summary, load
from demo.logins import open_accounts
from demo.members import load_members

__all__ = ["Summary", "load", "load_members", "open_accounts", "open_now", "open_today", "write_history"]
