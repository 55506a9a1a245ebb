"""The Redis client that every service uses, and the mapping of Redis outages to `Unavailable`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.process.tasks import raising_dropped_cancel

_OUTAGES: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.ClusterDownError,
    OSError,
)
_TEMPORARY_REPLIES: Final = (
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "TRYAGAIN",
    "MASTERDOWN",
    "READONLY",
    "LOADING",
    "BUSY",
)
_RETRY_AFTER_S: Final = 0.05
_WAIT_FOR_CONNECTION_S: Final = 0.5


class RedisLimits(Struct, frozen=True, kw_only=True):
    """The limits of a client.

    Attributes:
        connect_s: the longest wait for a connection to be made.
        read_s: the longest wait for a reply; None for a client that listens to channels.
        retries: of a command whose connection failed. One by default: callers are waiting, and loops
            retry on their own.
        max_connections: further commands wait for a free connection; None: no limit.
    """

    connect_s: float = 2.0
    read_s: float | None = 2.0
    retries: int = 1
    max_connections: int | None = None


DEFAULT_LIMITS: Final = RedisLimits()
PUBSUB_LIMITS: Final = RedisLimits(read_s=None)


def open_redis(url: str, limits: RedisLimits = DEFAULT_LIMITS) -> Redis:
    """Make a client, which connects when it is first used; close it with `aclose()`. Replies are bytes.

    Raises:
        InvalidInput: `url` is not a Redis address.
    """
    options = {
        "socket_timeout": limits.read_s,
        "socket_connect_timeout": limits.connect_s,
        "retry": Retry(ConstantBackoff(_RETRY_AFTER_S), limits.retries),
    }
    try:
        if limits.max_connections is None:
            return Redis.from_pool(ConnectionPool.from_url(url, **options))
        return Redis.from_pool(
            BlockingConnectionPool.from_url(
                url, max_connections=limits.max_connections, timeout=_WAIT_FOR_CONNECTION_S, **options
            )
        )
    except ValueError:
        # The reason is left out: it repeats the address, which may hold a password.
        raise InvalidInput(
            "REDIS_URL is not a Redis address: use redis://[user:password@]host:6379/0", field="REDIS_URL"
        ) from None


@contextmanager
def map_redis_errors(what: str, *, detail: str | None = None, code: str | None = None) -> Iterator[None]:
    """Raise Unavailable for an outage of Redis; other errors are bugs and are raised unchanged.

    A cancellation that the client drops is raised.

    Args:
        what: the thing that is read or written; begins the message.
        detail: the whole message instead, where a caller of the API reads it.
        code: the stable code of the error, if not that of the class.
    """
    try:
        with raising_dropped_cancel():
            yield
    except (*_OUTAGES, exceptions.ResponseError) as error:
        if not _is_outage(error):
            raise
        message = detail or f"{what}: {disk_problem(error) or _no_response(error)}"
        raise Unavailable(message, code=code) from error


def disk_problem(error: Exception) -> str | None:
    """Why Redis cannot write to its disk, as its reply states it; None for another error."""
    kind, _, reason = str(error)[:300].partition(" ")
    return f"Redis cannot write to its disk ({reason}); free some space there" if kind == "MISCONF" else None


def refusal(error: exceptions.ResponseError) -> str:
    """An error reply that is no outage, as an operator has to see it: a permission, a key of another type."""
    return f"Redis refuses a command ({str(error)[:300]}); check its version, its ACL and its data"


def _no_response(error: Exception) -> str:
    return f"Redis does not respond ({type(error).__name__}); try again"


def _is_outage(error: Exception) -> bool:
    # An error inside a script arrives as a text only.
    return isinstance(error, _OUTAGES) or any(sign in str(error)[:200] for sign in _TEMPORARY_REPLIES)
