"""What is wanted of each queue: a TOML file, checked as a whole, read again when it changes.

[default]                    # every queue that is not named below; without it those are left alone
slo_s = 60

[queues.invoice_import]      # on top of the default
max_workers = 20
"""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from signalbox_autoscaler.model import Policy
from signalbox_core.errors import InvalidInput

log = logging.getLogger(__name__)


class Policies(Protocol):
    """Who is sized, and how."""

    def of(self, queue: str) -> Policy | None:
        """None: the queue is not sized by us."""
        ...

    def queues(self) -> Sequence[str]:
        """Those named: looked at from the start."""
        ...


class FixedPolicies:
    """Args:
    default: for every queue that is not named; None: those are left alone.
    """

    def __init__(self, named: Mapping[str, Policy], default: Policy | None = None) -> None:
        self._named = dict(named)
        self._default = default

    def of(self, queue: str) -> Policy | None:
        return self._named.get(queue, self._default)

    def queues(self) -> Sequence[str]:
        return sorted(self._named)


class PolicyFile:
    """The policies of a file. One that turns bad later leaves the last good ones in force, and says so.

    Raises:
        InvalidInput: the file is missing or wrong at the start; names the queue and the field.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = read_policies(path)
        self._stamp = _stamp(path)
        self.problem: str | None = None

    def of(self, queue: str) -> Policy | None:
        return self._read.of(queue)

    def queues(self) -> Sequence[str]:
        self._reload()
        return self._read.queues()

    def _reload(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._read, self.problem = read_policies(self._path), None
            log.info("policies read again", extra={"queues": list(self._read.queues())})
        except InvalidInput as error:
            self.problem = error.detail
            log.error("policies not read, the last good ones stay", extra={"detail": error.detail})


class DryPolicies:
    """The same, and nothing is launched: for an autoscaler without a provider."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def of(self, queue: str) -> Policy | None:
        policy = self._policies.of(queue)
        return None if policy is None else replace(policy, dry_run=True)

    def queues(self) -> Sequence[str]:
        return self._policies.queues()


def read_policies(path: Path) -> FixedPolicies:
    """Raises:
    InvalidInput: the file cannot be read, is no TOML, or a value in it is wrong.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"policies {path}: {error}", field="policies") from None
    unknown = sorted(set(found) - {"default", "queues"})
    if unknown:
        raise InvalidInput(f"policies {path}: unknown table [{unknown[0]}]; there are [default] and [queues.NAME]", field=unknown[0])
    default, queues = found.get("default"), found.get("queues", {})
    if not isinstance(default, dict | None) or not isinstance(queues, dict):
        raise InvalidInput(f"policies {path}: default and queues must be tables", field="policies")
    named = {name: _policy(path, f"queues.{name}", default or {}, values) for name, values in queues.items()}
    return FixedPolicies(named, None if default is None else _policy(path, "default", {}, default))


def _policy(path: Path, table: str, default: Mapping[str, Any], values: object) -> Policy:
    if not isinstance(values, dict):
        raise InvalidInput(f"policies {path}: {table} must be a table", field=table)
    try:
        return msgspec.convert({**default, **values}, Policy, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"policies {path}, [{table}]: {str(error).lower()}", field=table) from None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
