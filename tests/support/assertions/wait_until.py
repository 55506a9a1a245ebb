"""Waiting for a condition in tests without an event loop, such as those that drive a browser."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], *, within_s: float) -> None:
    """Return once the condition holds; fail when it does not within `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.2)
