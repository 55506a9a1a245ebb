"""Secrets in files of their own, which other configuration files name."""

from pathlib import Path

from signalbox_core.errors import Unavailable


def read_secret_file(path: Path) -> str:
    """Read a secret. Read it at every use, so that a rotated secret takes effect at once.

    Raises:
        Unavailable: the file cannot be read, or is empty.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Unavailable(f"cannot read the secret file {path}: {reason}") from None
    if not text:
        raise Unavailable(f"the secret file {path} is empty")
    return text
