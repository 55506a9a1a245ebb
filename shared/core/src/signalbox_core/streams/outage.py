"""What Redis or the network to it raises, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import exceptions

from signalbox_core.errors import Unavailable

_AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.ClusterDownError,
    OSError,
)
_PASSING: Final = ("OOM", "MISCONF", "NOREPLICAS", "TRYAGAIN", "MASTERDOWN", "READONLY", "LOADING", "BUSY")


@contextmanager
def unavailable_when_away(what: str) -> Iterator[None]:
    """Say Unavailable for what may pass; any other answer of Redis is a bug of ours and stays what it is.

    Args:
        what: names the run or index.
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
    return Unavailable(f"stream of {what}: Redis does not answer ({type(error).__name__}); try again")
