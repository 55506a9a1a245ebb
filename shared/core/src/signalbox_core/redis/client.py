"""Redis: a client with the limits that every service wants, and what its outages are in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from signalbox_core.errors import InvalidInput, Unavailable

_AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.ClusterDownError,
    OSError,
)
_PASSING: Final = ("OOM", "MISCONF", "NOREPLICAS", "TRYAGAIN", "MASTERDOWN", "READONLY", "LOADING", "BUSY")


def open_redis(url: str, *, read_timeout_s: float | None = 2) -> Redis:
    """A client of bytes that connects when it is first used; close it with `aclose()`.

    Args:
        read_timeout_s: the longest wait for an answer; None for a client that listens to channels.

    Raises:
        InvalidInput: `url` is no Redis address.
    """
    try:
        # One quick retry: callers wait for the answer, and loops come again by themselves.
        retry = Retry(ConstantBackoff(0.05), 1)
        return Redis.from_url(url, socket_timeout=read_timeout_s, socket_connect_timeout=2, retry=retry)
    except ValueError:
        # The address may hold a password, so it is not shown.
        raise InvalidInput(
            "REDIS_URL is not a Redis address: use redis://host:6379/0", field="REDIS_URL"
        ) from None


@contextmanager
def map_redis_errors(what: str) -> Iterator[None]:
    """Say Unavailable for what may pass; any other answer of Redis is a bug of ours and stays what it is.

    Args:
        what: what was read or written; begins the message.
    """
    try:
        yield
    except _AWAY as error:
        raise _unavailable(what, error) from error
    except exceptions.ResponseError as error:
        # An error inside a script comes as its text only.
        if not any(sign in str(error)[:200] for sign in _PASSING):
            raise
        raise _unavailable(what, error) from error


def _unavailable(what: str, error: Exception) -> Unavailable:
    return Unavailable(f"{what}: Redis does not answer ({type(error).__name__}); try again")
