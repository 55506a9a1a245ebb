"""Hot reload: a value that is loaded from a file, and loaded again when the file changes."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from signalbox_core.errors import InvalidInput

log = logging.getLogger(__name__)
T = TypeVar("T")
Stamp = tuple[int, int, int, int]


class FollowedFile(Generic[T]):
    """The value of a file, hot-reloaded. A version that cannot be loaded leaves the previous value in use.

    The file is checked when a method is called; there is no task. A change is noticed by modification time,
    status change time, size and inode, so a file that was replaced in one step counts too, and so does one
    whose permissions changed. A version that could not be read is read again at every check.

    Args:
        load: reads and validates the file; raises InvalidInput.
        content: names the content in the log, for example "API keys".
        check_every_s: `current` checks the file at most this often.
        on_failure: called once for each version that could not be loaded.
        clock: monotonic seconds.

    Raises:
        InvalidInput: the file cannot be loaded at the start.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], T],
        *,
        content: str,
        check_every_s: float = 0.0,
        on_failure: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._load = load
        self._content = content
        self._check_every_s = check_every_s
        self._on_failure = on_failure
        self._clock = clock
        self._checked_at = clock()
        # Taken before the file is read: a change in between is noticed by the next check.
        self._stamp = _stamp_of(path)
        self._is_unread = False
        self.value = load(path)
        """The value in use, without a check of the file."""
        self.error: str | None = None
        """Why the newest version of the file is not in use; None when it is."""

    def current(self) -> T:
        """The value, after a check of the file if the last one is older than `check_every_s`."""
        now = self._clock()
        if now - self._checked_at >= self._check_every_s:
            self._checked_at = now
            self.reload()
        return self.value

    def reload(self) -> bool:
        """Load the file if it has changed.

        Returns:
            True when there is a new value; False when the file is unchanged, or could not be loaded (logged
            once).
        """
        stamp = _stamp_of(self._path)
        is_known = stamp == self._stamp
        if is_known and not self._is_unread:
            return False
        self._stamp = stamp
        facts = {"content": self._content, "path": str(self._path)}
        try:
            self.value = self._load(self._path)
        except InvalidInput as error:
            # What keeps a file from being read may pass without a change of it, as too many open files do.
            self._is_unread = isinstance(error.__cause__ or error.__context__, OSError)
            self.error = error.detail
            if not is_known:
                self._on_failure()
                log.error(
                    "file not reloaded; the previous version stays in use",
                    extra=facts | {"detail": error.detail},
                )
            return False
        self._is_unread = False
        self.error = None
        log.info("file reloaded", extra=facts)
        return True


def _stamp_of(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
