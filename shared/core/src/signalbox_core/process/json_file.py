"""Reads a configuration file in JSON into its type."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput

S = TypeVar("S", bound=Struct)


def read_json_file(path: Path, kind: type[S], *, content: str, field: str) -> S:
    """Read and decode a file.

    Args:
        content: names what the file holds, as in "API keys".
        field: the environment variable that names the file.

    Raises:
        InvalidInput: it cannot be read (its context is an OSError), or does not match the type.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise InvalidInput(f"the {content} in {path}: {problem}", field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the {content} in {path}: {error}", field=field) from None
