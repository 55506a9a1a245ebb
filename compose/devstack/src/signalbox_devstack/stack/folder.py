"""The state folder: the paths of all files of a stack, its lock, and atomic writes of private files."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from signalbox_core.errors import Conflict, InvalidInput

PRIVATE_UMASK: Final = 0o077
"""The umask of every process of a stack, so that the files it creates are readable by their owner only."""
DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_BLOCK_BYTES: Final = 8_192
_MIN_FREE_BYTES: Final = 1_000_000


class StateFolder(Struct, frozen=True):
    """All state of one stack. Deleting the folder resets the stack."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> "StateFolder":
        """Create the folder and its subfolders, readable by their owner only.

        Raises:
            InvalidInput: the folder cannot be created or written.
        """
        folder = cls(root.expanduser().resolve())
        try:
            for path in (
                folder.root,
                folder.logs,
                folder.keys,
                folder.secrets,
                folder.redis,
                folder.objects,
                folder.holds,
            ):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.chmod(0o700)
        except OSError as error:
            raise InvalidInput(
                f"--state-dir {root}: {error.strerror}; choose a folder you can write to", field="--state-dir"
            ) from error
        return folder

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def secrets(self) -> Path:
        """Secrets that run inputs refer to, one file per secret: `TENANT/NAME`."""
        return self.root / "secrets"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def bursts(self) -> Path:
        """State and logs of the burst workers that the autoscaler launched on this machine."""
        return self.root / "bursts"

    @property
    def holds(self) -> Path:
        """Holds one marker file per stopped part; a part with a marker is not restarted."""
        return self.root / "holds"

    @property
    def endpoints(self) -> Path:
        return self.root / "endpoints.json"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def disk_problem(self) -> str | None:
        """Why parts cannot write their state, and the remedy; None while the disk has room."""
        if shutil.disk_usage(self.root).free >= _MIN_FREE_BYTES:
            return None
        return f"the disk of {self.root} is full; free some space, and every part recovers automatically"

    def is_held(self, name: str) -> bool:
        return (self.holds / name).exists()

    def release_all(self) -> None:
        for path in self.holds.iterdir():
            path.unlink()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder. The kernel releases the lock when this process dies, so no stale lock can remain.

        Raises:
            Conflict: another stack runs in this folder.
        """
        with open(self.root / "lock", "a+", opener=_open_private) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(
                    f"a stack is already running in {self.root}; "
                    f"stop it with: signalbox-dev down --state-dir {self.root}",
                    field="--state-dir",
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def supervisor_pid(self) -> int | None:
        """The pid of the supervisor that holds the lock, or None when no stack is running."""
        path = self.root / "lock"
        if not path.exists():
            return None
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                return int(file.read() or 0) or None
            return None


def open_log(path: Path) -> BinaryIO:
    """Open a log file to append to it, readable by its owner only: a log can contain keys."""
    return open(path, "ab", opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)  # the file may exist with the mode of an earlier version
    return descriptor


def write_private(path: Path, body: bytes) -> None:
    """Replace a file atomically; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_state(path: Path, document: bytes) -> None:
    """Replace a JSON file as `write_private` does; on a full disk overwrite it in the blocks that it has.

    The document is padded with spaces to whole blocks, so that a later one fits into them.

    Raises:
        OSError: the disk is full, and the file does not exist or is too small.
    """
    body = document.ljust(-(-len(document) // _BLOCK_BYTES) * _BLOCK_BYTES)
    try:
        write_private(path, body)
    except OSError as error:
        if error.errno not in DISK_FULL or not path.exists() or path.stat().st_size < len(body):
            raise
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, body.ljust(path.stat().st_size), 0)
        finally:
            os.close(descriptor)
