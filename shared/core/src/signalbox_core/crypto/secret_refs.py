"""Secrets by reference: inputs and histories hold a name, and the worker reads the value when it is needed.

The value comes from a file `<folder>/<tenant>/<name>` (a mounted secret), else from the environment variable
`SIGNALBOX_SECRET__<TENANT>__<NAME>`, with `-` as `_`. It is read at every use, so a changed file takes
effect at once. No two pairs of tenant and name share a file or a variable.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_core.settings import Secret

FOLDER: Final = "SIGNALBOX_WORKER_SECRETS_DIR"
_VARIABLE: Final = "SIGNALBOX_SECRET"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PLAIN: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-?")
"""Tenants and names that have an environment variable. Without a double dash in them, the `__` between the
two is unambiguous, so that a variable belongs to one tenant and one name."""
_MAX_BYTES: Final = 65_536


class SecretRefs:
    """Reads secrets by tenant and name.

    Args:
        environ: the worker's environment variables; `SIGNALBOX_WORKER_SECRETS_DIR` names the folder.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._folder = Path(folder) if (folder := environ.get(FOLDER)) else None

    async def get(self, tenant: str, name: str) -> Secret:
        """Read a secret, without a line break at its end.

        Raises:
            InvalidInput: `name` is not a valid name.
            NotFound: `unknown_secret`: the tenant has no secret of this name; the message lists where it
                was looked for.
            Unavailable: the file cannot be read.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                "the name of a secret must be 1 to 64 of a-z, 0-9, dot, dash and underscore",
                field="secret_ref",
            )
        text = await asyncio.to_thread(self._read, tenant, name)
        if not text:
            raise NotFound(
                f"there is no secret {name!r} for {tenant};"
                f" an operator must put it {self._places(tenant, name)}",
                code="unknown_secret",
            )
        return Secret(text)

    def _read(self, tenant: str, name: str) -> str | None:
        if self._folder is not None and _TENANT.fullmatch(tenant):
            try:
                with (self._folder / tenant / name).open("rb") as file:
                    return file.read(_MAX_BYTES).decode().rstrip("\r\n")
            except (FileNotFoundError, NotADirectoryError):
                pass
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable(
                    f"secret {name!r} of {tenant} cannot be read ({type(error).__name__}); check its file"
                ) from None
        variable = variable_of(tenant, name)
        return self._environ.get(variable) if variable else None

    def _places(self, tenant: str, name: str) -> str:
        places = [
            f"into {tenant}/{name} under {FOLDER}"
            if self._folder
            else f"into a folder that {FOLDER} names, as {tenant}/{name}"
        ]
        variable = variable_of(tenant, name)
        return " or ".join([*places, f"into {variable}"] if variable else places)


def variable_of(tenant: str, name: str) -> str | None:
    """The environment variable of a secret; None when tenant or name cannot be part of one."""
    if not _PLAIN.fullmatch(tenant) or not _PLAIN.fullmatch(name):
        return None
    return f"{_VARIABLE}__{tenant}__{name}".replace("-", "_").upper()
