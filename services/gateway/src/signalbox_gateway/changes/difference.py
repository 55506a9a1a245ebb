"""Which difference between two states of the configuration is an entry of the ledger. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

ChangeKind = Literal["added", "changed", "removed"]


class TrackedItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key, policy or schedule, without anything secret.

    Attributes:
        tenant: whose item it is; None of one that all tenants share.
        facts: its members as texts, as the ledger shows them.
        fingerprint: identifies the secret part; it is compared, and never shown.
    """

    tenant: str | None
    id: str
    facts: Mapping[str, str]
    fingerprint: str = ""


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one item differs between two states.

    Attributes:
        members: those that differ, by name; `secret` if the secret part does. Empty unless `kind` is
            `changed`.
        before, after: the facts; None when there is no such item.
    """

    kind: ChangeKind
    tenant: str | None
    id: str
    members: tuple[str, ...] = ()
    before: Mapping[str, str] | None = None
    after: Mapping[str, str] | None = None


def find_differences(before: Iterable[TrackedItem], after: Iterable[TrackedItem]) -> tuple[Difference, ...]:
    """Compare two states; an item that moves to another tenant is removed from one and added to the other.

    Returns:
        One difference for each item that differs, ordered by tenant and id.
    """
    old = {(item.tenant or "", item.id): item for item in before}
    new = {(item.tenant or "", item.id): item for item in after}
    return tuple(
        difference
        for key in sorted(old.keys() | new.keys())
        if (difference := compare(old.get(key), new.get(key))) is not None
    )


def compare(before: TrackedItem | None, after: TrackedItem | None) -> Difference | None:
    """How one item differs; None if it does not."""
    present = after or before
    if present is None:
        return None
    kind: ChangeKind = "added" if before is None else "removed" if after is None else "changed"
    members = _changed_members(before, after) if before is not None and after is not None else ()
    if kind == "changed" and not members:
        return None
    return Difference(
        kind=kind,
        tenant=present.tenant,
        id=present.id,
        members=members,
        before=before.facts if before is not None else None,
        after=after.facts if after is not None else None,
    )


def _changed_members(before: TrackedItem, after: TrackedItem) -> tuple[str, ...]:
    names = sorted(before.facts.keys() | after.facts.keys())
    changed = [name for name in names if before.facts.get(name) != after.facts.get(name)]
    return (*changed, *(["secret"] if before.fingerprint != after.fingerprint else []))
