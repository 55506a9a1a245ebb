"""What is wanted of each queue: a TOML file, checked as a whole and hot-reloaded.

[default]                    # every queue that is not named below; without it those are left alone
slo_s = 60

[queues."*_import"]          # on top of the default, for every queue of such a name
max_workers = 20

[queues.invoice_import]      # of several tables that fit, the last one that sets a field wins
slo_s = 30
"""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from signalbox_autoscaler.model import Policy
from signalbox_core.errors import InvalidInput
from signalbox_core.process.followed_file import FollowedFile

_MONEY: Final = ("budget_per_hour", "budget_per_day", "price_per_worker_s")


class Policies(Protocol):
    """Who is sized, and how.

    Attributes:
        problem: why what was last written is not in force; None when it is.
    """

    @property
    def problem(self) -> str | None: ...

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

    problem: str | None = None

    def __init__(self, named: Mapping[str, Policy], default: Policy | None = None) -> None:
        self._named = dict(named)
        self._default = default

    def of(self, queue: str) -> Policy | None:
        return self._named.get(queue, self._default)

    def queues(self) -> Sequence[str]:
        return sorted(self._named)


class PolicyFile:
    """The hot-reloaded policies of a file; a version that cannot be loaded leaves the previous ones in force.

    Raises:
        InvalidInput: the file is missing or wrong at the start; names the queue and the field.
    """

    def __init__(self, path: Path) -> None:
        self._file = FollowedFile(path, read_policies, content="policies")

    @property
    def problem(self) -> str | None:
        return self._file.error

    def of(self, queue: str) -> Policy | None:
        return self._file.value.of(queue)

    def queues(self) -> Sequence[str]:
        return self._file.current().queues()


class DryPolicies:
    """The same, and nothing is launched: for an autoscaler without a provider."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    @property
    def problem(self) -> str | None:
        return self._policies.problem

    def of(self, queue: str) -> Policy | None:
        policy = self._policies.of(queue)
        return None if policy is None else replace(policy, dry_run=True)

    def queues(self) -> Sequence[str]:
        return self._policies.queues()


class PatternPolicies:
    """Tables by queue name or pattern (`*`, `?`, `[…]`), in the file's order, on top of the default.

    Args:
        default: its fields; None: queues that no table fits are left alone.
        tables: name or pattern → fields.
    """

    def __init__(self, default: Mapping[str, Any] | None, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self._default = default
        self._tables = tables
        self._known: dict[str, Policy | None] = {}

    def of(self, queue: str) -> Policy | None:
        if queue not in self._known:
            fitting = [fields for pattern, fields in self._tables.items() if fnmatchcase(queue, pattern)]
            fields = {
                name: value
                for table in ({} if self._default is None else self._default, *fitting)
                for name, value in table.items()
            }
            known = fitting or self._default is not None
            self._known[queue] = _policy(fields, f"the policy of {queue}", field=queue) if known else None
        return self._known[queue]

    def queues(self) -> Sequence[str]:
        return sorted(name for name in self._tables if not set(name) & set("*?["))


def read_policies(path: Path) -> PatternPolicies:
    """Raises:
    InvalidInput: the file cannot be read, is no TOML, or a value in it is wrong: alone or together with the tables that fit as well.
    """
    try:
        # Numbers with a point stay text, so that money keeps its digits.
        found = tomllib.loads(path.read_text("utf-8"), parse_float=str)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"policies {path}: {error}", field="policies") from None
    unknown = sorted(set(found) - {"default", "queues"})
    if unknown:
        raise InvalidInput(
            f"policies {path}: unknown table [{unknown[0]}]; there are [default] and [queues.NAME]",
            field=unknown[0],
        )
    default, queues = found.get("default"), found.get("queues", {})
    if not isinstance(default, dict | None) or not isinstance(queues, dict):
        raise InvalidInput(f"policies {path}: default and queues must be tables", field="policies")
    if default is not None:
        _policy(default, f"policies {path}, [default]", field="default")
    for name, fields in queues.items():
        if not isinstance(fields, dict):
            raise InvalidInput(f"policies {path}: queues.{name} must be a table", field=f"queues.{name}")
        _policy({**(default or {}), **fields}, f"policies {path}, [queues.{name}]", field=f"queues.{name}")
    policies = PatternPolicies(default, queues)
    for name in policies.queues():
        policies.of(name)
    return policies


def _policy(fields: Mapping[str, Any], where: str, *, field: str) -> Policy:
    try:
        policy = msgspec.convert(fields, Policy, strict=False)
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
