"""Who may decide a question: quorums, veto and exclusions. Pure.

A pipeline's contract declares a policy; `approval.requested` records it with the question.
"""

import hashlib
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from signalbox_core.subjects import Subject, check_groups

MAX_DECIDERS: Final = 100
_NOT_A_SUBJECT: Final = "{0!r} must be a subject: key:<key id>, <issuer>#<subject> or mailto:<address>"


class Quorum(Struct, frozen=True):
    """`needed` subjects of a group have to give the same answer.

    Attributes:
        group: of the API key or the token; None for any subject that may decide in the tenant.
    """

    needed: int = 1
    group: str | None = None


class Policy(Struct, frozen=True, kw_only=True):
    """The rule of a question. The default: one subject of the tenant decides. Agents never decide.

    Attributes:
        quorum: all have to be filled by the same answer. A subject fills one place, even if it belongs to
            several groups.
        veto: groups of which one member's objection ends the question.
        exclude_starter: the subject that started the run does not vote.
        people: if any, the only subjects whose answers count.
        require_signature: every vote is signed with the voter's passkey. Left out of the JSON unless it is
            set, so that the digests of policies that do not use it stay the same.
    """

    quorum: tuple[Quorum, ...] = (Quorum(),)
    veto: tuple[str, ...] = ()
    exclude_starter: bool = False
    people: tuple[str, ...] = ()
    require_signature: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.require_signature is False:
            force_setattr(self, "require_signature", UNSET)

    @property
    def is_default(self) -> bool:
        return self == Policy()

    @property
    def needed(self) -> int:
        """How many subjects have to give the same answer."""
        return sum(quorum.needed for quorum in self.quorum)

    @property
    def digest(self) -> str:
        """The SHA-256 of the policy as canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class QuorumProgress(Struct, frozen=True, kw_only=True):
    """How far an answer has filled one quorum."""

    needed: int
    counted: int
    group: str | None = None


class CountedVote(Struct, frozen=True, kw_only=True):
    """A vote that made the outcome, and the group for which it counted; None for any group."""

    decision_id: str
    subject: Subject
    group: str | None = None


def no_progress(policy: Policy) -> tuple[QuorumProgress, ...]:
    """The progress of an answer that nobody has given."""
    return tuple(QuorumProgress(group=item.group, needed=item.needed, counted=0) for item in policy.quorum)


def may_answer(policy: Policy | None, starter: str | None, subject: Subject) -> bool:
    """Whether the policy of a question lets a subject vote for an answer, as its run checks it.

    Args:
        starter: the subject that started the run; None if that is not recorded.
    """
    if policy is None or policy.is_default:
        return True
    if policy.exclude_starter and starter in (None, subject.subject):
        return False
    if policy.people and subject.subject not in policy.people:
        return False
    groups = {quorum.group for quorum in policy.quorum}
    return None in groups or bool(groups & set(subject.groups))


def describe_policy(policy: Policy) -> str:
    """Write the policy for people: `2 of marketing and 1 of legal must agree; the starter may not decide`."""
    parts = [f"{item.needed} of {item.group or 'any group'}" for item in policy.quorum]
    text = "one approver decides" if policy.quorum == (Quorum(),) else f"{' and '.join(parts)} must agree"
    if policy.people:
        text += f"; only {', '.join(policy.people)} may decide"
    if policy.veto:
        text += f"; an objection of {' or '.join(policy.veto)} ends the question"
    if policy.require_signature:
        text += "; every decision is signed with a passkey"
    return f"{text}; the starter may not decide" if policy.exclude_starter else text


def describe_progress(quorum: tuple[QuorumProgress, ...]) -> str:
    """Write the progress for people: `1 of 2 of marketing; 1 of legal still needed`."""
    parts = []
    for item in quorum:
        of = f" of {item.group}" if item.group else ""
        if not item.counted:
            parts.append(f"{item.needed}{of} still needed")
        else:
            parts.append(f"{item.counted} of {item.needed}{of}")
    return "; ".join(parts)


def check_policy(policy: Policy) -> None:
    """Check that a policy can be met.

    Raises:
        ValueError: it never can; the message names the field and the remedy.
    """
    _check_quorum(policy.quorum)
    _check_groups("veto", policy.veto)
    _check_people(policy)


def _check_quorum(quorum: tuple[Quorum, ...]) -> None:
    if not quorum:
        raise ValueError("policy.quorum is empty, so any question would be decided without a vote; name one")
    for item in quorum:
        if not 1 <= item.needed <= MAX_DECIDERS:
            raise ValueError(
                f"policy.quorum needs {item.needed} of {item.group or 'any group'}; "
                f"a quorum needs 1 to {MAX_DECIDERS} subjects"
            )
    named = [item.group for item in quorum]
    for group in named:
        if named.count(group) > 1:
            raise ValueError(
                f"policy.quorum names {group or 'any group'!r} more than once; add the numbers up into one"
            )
    _check_groups("quorum", tuple(group for group in named if group is not None))


def _check_groups(field: str, groups: tuple[str, ...]) -> None:
    try:
        check_groups(groups)
    except ValueError as error:
        raise ValueError(f"policy.{field}: {error}") from None
    if len(set(groups)) < len(groups):
        raise ValueError(f"policy.{field} names a group more than once; name each once")


def _check_people(policy: Policy) -> None:
    for subject in policy.people:
        if not subject.startswith(("key:", "mailto:")) and "#" not in subject:
            raise ValueError(f"policy.people: {_NOT_A_SUBJECT.format(subject)}")
    if len(set(policy.people)) < len(policy.people):
        raise ValueError("policy.people names a subject more than once; name each once")
    if policy.people and len(policy.people) < policy.needed:
        raise ValueError(
            f"policy.people names {len(policy.people)} subjects, but policy.quorum needs {policy.needed}, "
            "so it can never be met; name more people or lower the quorum"
        )


def check_narrowed(contract: Policy, asked: Policy, starter: Subject | None) -> None:
    """Check the policy of one question against the contract's: it may be stricter, never weaker.

    Args:
        starter: who started the run.

    Raises:
        ValueError: it is weaker or can never be met; the message names the field and the remedy.
    """
    check_policy(asked)
    _check_quorum_narrowed(contract, asked)
    if missing := [group for group in contract.veto if group not in asked.veto]:
        raise ValueError(f"policy.veto lacks {missing[0]!r}, which the contract has; add it")
    if contract.exclude_starter and not asked.exclude_starter:
        raise ValueError("policy.exclude_starter is set in the contract; set it")
    if contract.require_signature and not asked.require_signature:
        raise ValueError("policy.require_signature is set in the contract; set it")
    if contract.people and not (asked.people and set(asked.people) <= set(contract.people)):
        raise ValueError("policy.people must name some of the people of the contract, and nobody else")
    remaining = set(asked.people) - ({starter.subject} if starter is not None else set())
    if asked.exclude_starter and asked.people and len(remaining) < asked.needed:
        raise ValueError(
            f"policy.people without the subject that started the run are {len(remaining)}, but "
            f"policy.quorum needs {asked.needed}, so it can never be met; name more people"
        )


def _check_quorum_narrowed(contract: Policy, asked: Policy) -> None:
    counts = {item.group: item.needed for item in asked.quorum}
    for item in contract.quorum:
        if item.group is not None and counts.get(item.group, 0) < item.needed:
            raise ValueError(
                f"policy.quorum needs {counts.get(item.group, 0)} of {item.group}, but the contract needs "
                f"{item.needed}; a run can only narrow the contract's policy"
            )
    if asked.needed < contract.needed:
        raise ValueError(
            f"policy.quorum needs {asked.needed} subjects, but the contract needs {contract.needed}; "
            "a run can only narrow the contract's policy"
        )
