"""Policies by queue, from a hot-reloaded TOML file that is validated as a whole.

[default]                    # every queue that no table matches; without it those are not sized
slo_s = 60

[queues."*_import"]          # overrides the default for every queue that matches
max_workers = 20

[queues.invoice_import]      # of several matching tables, the last one that sets a field wins
slo_s = 30
"""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from signalbox_autoscaler.model import ScalingPolicy
from signalbox_core.errors import InvalidInput
from signalbox_core.process.followed_file import FollowedFile

log = logging.getLogger(__name__)

_MONEY: Final = ("budget_per_hour", "budget_per_day", "price_per_worker_s")


class PolicySource(Protocol):
    """Which queues are sized, and by which policy.

    Attributes:
        problem: why the newest version of the file is not in force, or a queue is not sized; None: neither.
    """

    @property
    def problem(self) -> str | None: ...

    def get(self, queue: str) -> ScalingPolicy | None:
        """The policy of a queue; None: it is not sized."""
        ...

    def queues(self) -> Sequence[str]:
        """The queues that are named, to be observed from the start."""
        ...


class FixedPolicies:
    """Policies from code.

    Args:
        default: for every queue that is not named; None: those are not sized.
    """

    problem: str | None = None

    def __init__(self, named: Mapping[str, ScalingPolicy], default: ScalingPolicy | None = None) -> None:
        self._named = dict(named)
        self._default = default

    def get(self, queue: str) -> ScalingPolicy | None:
        return self._named.get(queue, self._default)

    def queues(self) -> Sequence[str]:
        return sorted(self._named)


class PolicyFile:
    """The policies of a file. When a later version of it is invalid, the last valid one stays in force.

    Raises:
        InvalidInput: the file is missing or invalid at the start; names the table and the field.
    """

    def __init__(self, path: Path) -> None:
        self._file = FollowedFile(path, read_policies, content="policies")

    @property
    def problem(self) -> str | None:
        return self._file.error or self._file.value.problem

    def get(self, queue: str) -> ScalingPolicy | None:
        return self._file.value.get(queue)

    def queues(self) -> Sequence[str]:
        return self._file.current().queues()


class DryRunPolicies:
    """Makes every policy a dry run: for an autoscaler without a provider."""

    def __init__(self, policies: PolicySource) -> None:
        self._policies = policies

    @property
    def problem(self) -> str | None:
        return self._policies.problem

    def get(self, queue: str) -> ScalingPolicy | None:
        policy = self._policies.get(queue)
        return None if policy is None else replace(policy, dry_run=True)

    def queues(self) -> Sequence[str]:
        return self._policies.queues()


class PatternPolicies:
    """Policies by queue name or pattern (`*`, `?`, `[…]`); matching tables override the default in order.

    Tables that are valid alone may contradict each other on a queue that several patterns match: such a queue
    is not sized, and `problem` names it.

    Args:
        default: fields; None: queues that no table matches are not sized.
        tables: name or pattern → fields.
    """

    def __init__(self, default: Mapping[str, Any] | None, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self._default = default
        self._tables = tables
        self._cache: dict[str, ScalingPolicy | None] = {}
        self._problems: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """Why the first queue is not sized although a table matches it; None: there is no such queue."""
        if not self._problems:
            return None
        queue, reason = next(iter(self._problems.items()))
        others = f" (and {len(self._problems) - 1} more)" if len(self._problems) > 1 else ""
        return f"{reason}; not sized: {queue}{others}"

    def get(self, queue: str) -> ScalingPolicy | None:
        if queue not in self._cache:
            try:
                self._cache[queue] = self.combine(queue)
            except InvalidInput as error:
                log.error("queue not sized", extra={"queue": queue, "detail": error.detail})
                self._cache[queue], self._problems[queue] = None, error.detail
        return self._cache[queue]

    def combine(self, queue: str) -> ScalingPolicy | None:
        """The policy that the default and all matching tables result in.

        Raises:
            InvalidInput: they contradict each other.
        """
        matching = [fields for pattern, fields in self._tables.items() if fnmatchcase(queue, pattern)]
        if not matching and self._default is None:
            return None
        fields = {name: value for table in (self._default or {}, *matching) for name, value in table.items()}
        return _parse_policy(fields, f"the policy of {queue}", field=queue)

    def queues(self) -> Sequence[str]:
        return sorted(name for name in self._tables if not set(name) & set("*?["))


def read_policies(path: Path) -> PatternPolicies:
    """Read and validate a policy file.

    Raises:
        InvalidInput: the file cannot be read or parsed, or a table is invalid, alone or combined with others
        that match.
    """
    try:
        # Decimal numbers stay text, so that money is exact.
        found = tomllib.loads(path.read_text("utf-8"), parse_float=str)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"policies {path}: {error}", field="policies") from None
    unknown = sorted(set(found) - {"default", "queues"})
    if unknown:
        raise InvalidInput(
            f"policies {path}: unknown table [{unknown[0]}]; use [default] or [queues.NAME]",
            field=unknown[0],
        )
    default, queues = found.get("default"), found.get("queues", {})
    if not isinstance(default, dict | None) or not isinstance(queues, dict):
        raise InvalidInput(f"policies {path}: default and queues must be tables", field="policies")
    if default is not None:
        _parse_policy(default, f"policies {path}, [default]", field="default")
    for name, fields in queues.items():
        if not isinstance(fields, dict):
            raise InvalidInput(f"policies {path}: queues.{name} must be a table", field=f"queues.{name}")
        _parse_policy(
            {**(default or {}), **fields}, f"policies {path}, [queues.{name}]", field=f"queues.{name}"
        )
    policies = PatternPolicies(default, queues)
    for name in policies.queues():
        policies.combine(name)
    return policies


def _parse_policy(fields: Mapping[str, Any], where: str, *, field: str) -> ScalingPolicy:
    try:
        policy = msgspec.convert(fields, ScalingPolicy, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where}: {str(error).lower()}", field=field) from None
    for name in _MONEY:
        amount: Decimal | None = getattr(policy, name)
        if amount is not None and (not amount.is_finite() or amount < 0):
            raise InvalidInput(f"{where}: {name} must be 0 or more, and is {amount}", field=field)
    if policy.workers_per_launch > policy.max_launches_per_tick:
        most = f"max_launches_per_tick ({policy.max_launches_per_tick})"
        raise InvalidInput(
            f"{where}: workers_per_launch ({policy.workers_per_launch}) must not be more than {most}",
            field=field,
        )
    return policy
