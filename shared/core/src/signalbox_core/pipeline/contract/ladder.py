"""What happens while nobody decides a question: reminders, delegation, escalation, and how it ends."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.events.policy import Policy, Quorum

GROUP_PREFIX: Final = "group:"
_SUBJECT_FORMS: Final = ("key:", "mailto:")


class Remind(Struct, frozen=True, kw_only=True, tag="remind"):
    """Send a reminder. All times of a ladder count from the question."""

    after: timedelta


class Delegate(Struct, frozen=True, kw_only=True, tag="delegate"):
    """Hand the question over to a group (`group:leads`) or to a subject."""

    after: timedelta
    to: str


class Escalate(Struct, frozen=True, kw_only=True, tag="escalate"):
    """Hand the question over to who is responsible above: a group or a subject, as in `Delegate`."""

    after: timedelta
    to: str


class Expire(Struct, frozen=True, kw_only=True, tag="expire"):
    """End the question; the run fails with `approval_expired`, unless `ask` was given a default."""

    after: timedelta


class Default(Struct, frozen=True, tag="default"):
    """End the question; the run continues with this answer."""

    answer: Any
    after: timedelta


Rung = Remind | Delegate | Escalate | Expire | Default
Ladder = tuple[Rung, ...]


def check_ladder(ladder: Ladder, answer: type[Struct], open_for: timedelta) -> None:
    """Check that every rung is reached, in order.

    Args:
        answer: the type of the approval's answer.
        open_for: how long the question stays open.

    Raises:
        ValueError: one is not, or its target or answer has another form; the message names the remedy.
    """
    _check_order(ladder)
    if ladder and ladder[-1].after > open_for:
        raise ValueError(
            "ladder: the last rung comes after the deadline; raise the deadline, or end with Expire"
        )
    for rung in ladder:
        if isinstance(rung, Delegate | Escalate) and not is_target(rung.to):
            raise ValueError(
                f"ladder: {rung.to!r} must be a group (group:leads) or a subject (key:<key id>, "
                "<issuer>#<subject>, mailto:<address>)"
            )
        if isinstance(rung, Default) and not isinstance(rung.answer, answer):
            raise ValueError(f"ladder: the default answer must be a {answer.__name__}")


def deadline_of(ladder: Ladder) -> timedelta | None:
    """How long a question with this ladder stays open; None when the approval's deadline decides."""
    last = ladder[-1] if ladder else None
    return last.after if isinstance(last, Expire | Default) else None


def is_target(text: str) -> bool:
    """Whether a text names a group or a subject."""
    return text.removeprefix(GROUP_PREFIX) != "" and (
        text.startswith((GROUP_PREFIX, *_SUBJECT_FORMS)) or "#" in text
    )


def hand_over(policy: Policy, to: str) -> Policy:
    """Return the policy after a question was handed over: one member of the group, or the subject, decides.

    Veto groups and the exclusion of the starter stay.
    """
    if to.startswith(GROUP_PREFIX):
        group = to.removeprefix(GROUP_PREFIX)
        return replace(policy, quorum=(Quorum(1, group=group),), people=())
    return replace(policy, quorum=(Quorum(),), people=(to,))


def _check_order(ladder: Sequence[Rung]) -> None:
    times = [rung.after for rung in ladder]
    if any(later <= earlier for earlier, later in zip([timedelta(), *times], times, strict=False)):
        raise ValueError("ladder: every rung needs a later time (`after`) than the one before it")
    if any(isinstance(rung, Expire | Default) for rung in ladder[:-1]):
        raise ValueError("ladder: Expire and Default end the question; only the last rung may be one")
