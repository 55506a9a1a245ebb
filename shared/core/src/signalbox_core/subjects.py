"""Who acts: the stable identity behind an API key or a token, in API, events and histories."""

import re
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

SubjectKind = Literal["human", "service", "agent"]
"""`agent`: software that acts autonomously. It may start, watch and ask, but never decides."""
SUBJECT_KINDS: Final[tuple[SubjectKind, ...]] = ("human", "service", "agent")
MAX_GROUPS: Final = 100
LINK_PREFIX: Final = "mailto:"
"""Begins the subject of a person who decides by a link."""
_GROUP: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class Subject(Struct, frozen=True, kw_only=True):
    """A stable identity.

    Attributes:
        subject: `key:<key id>` of an API key, which its rotation does not change; `<issuer>#<subject>` of a
            token.
        name: for people to read, and only of people; it may change, and two subjects may share it.
        groups: those that the key or the token named when the subject acted.
    """

    subject: str
    kind: SubjectKind = "human"
    name: str | None = None
    groups: tuple[str, ...] = ()


def check_groups(groups: Sequence[str]) -> None:
    """Check the names of groups.

    Raises:
        ValueError: there are too many, or a name is empty, too long or contains control characters.
    """
    if len(groups) > MAX_GROUPS:
        raise ValueError(f"at most {MAX_GROUPS} groups are possible, not {len(groups)}")
    for group in groups:
        if not _GROUP.fullmatch(group):
            raise ValueError(f"group {group[:40]!r} must be 1 to 200 characters without control characters")
