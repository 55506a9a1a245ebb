"""Redis: the client and its error mapping, the leader's lease, and rate limits."""

from typing import Final

OLDEST_REDIS: Final = (6, 2)
"""The oldest version that has every command in use; GETDEL is the newest of them."""
