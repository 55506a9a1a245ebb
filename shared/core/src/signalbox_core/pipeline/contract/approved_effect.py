"""What a decision allows an effect to use: one value, and the files that the approver was shown. Pure.

A workflow takes a `DecisionReceipt` from `Run.receipt` and passes it with an activity call or an event. The
worker then compares what it is about to use with the question and the answer as the history has them.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from signalbox_core.canonical_json import first_difference, sha256_of
from signalbox_core.errors import Conflict
from signalbox_core.events.effect_digest import is_as_approved
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.events.policy import CountedVote
from signalbox_core.subjects import Subject

NOT_WHAT_WAS_APPROVED: Final = "not_what_was_approved"


class ShownQuestion(Struct, frozen=True, kw_only=True):
    """Options and evidence of a question as they were recorded and shown, as JSON."""

    options: msgspec.Raw
    evidence: msgspec.Raw


ApprovedValues = Callable[[Any, ShownQuestion], Iterable[object]]
"""A contract's rule: from the decoded answer and the question to the values that effects may use."""


class EffectApproval(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decision behind one activity call, and exactly what the call may use.

    Attributes:
        value: the approved value that the argument must equal; absent if the decision approved no such value.
        files: SHA-256 by object key of the files that the value and the evidence refer to.
    """

    approval_id: str
    decision_id: str
    question_digest: str
    answer_digest: str
    value: msgspec.Raw | UnsetType = UNSET
    files: Mapping[str, str] = {}


class DecisionReceipt(Struct, frozen=True, kw_only=True):
    """A decided question, from the run's history. It can be kept across continue-as-new (`Run.keep`).

    Attributes:
        name: of the approval in the contract.
        answer: as it was accepted.
        votes: with a policy, the votes that made the decision, each with the group for which it counted.
        policy_digest: of the policy by which they were counted; None for the default.
        decider: who cast the deciding vote: subject, kind, groups; None for a decision of an earlier release,
            which has only the display name, `decided_by`.
        rule: the rule by which that vote counted, `quorum`; None with the default policy.
        group: the group for which that vote counted; None if the quorum accepts any group.
    """

    approval_id: str
    name: str
    decision_id: str
    decided_by: str
    question_digest: str
    shown: ShownQuestion
    answer: msgspec.Raw
    votes: tuple[CountedVote, ...] = ()
    policy_digest: str | None = None
    decider: Subject | None = None
    rule: str | None = None
    group: str | None = None

    @property
    def answer_digest(self) -> str:
        return sha256_of(self.answer)

    @property
    def options_digest(self) -> str:
        return sha256_of(self.shown.options)

    @property
    def evidence_digest(self) -> str:
        return sha256_of(self.shown.evidence)

    def for_replay(self) -> EffectApproval:
        """Return the approval without values, for a call that the history has already."""
        return EffectApproval(
            approval_id=self.approval_id,
            decision_id=self.decision_id,
            question_digest=self.question_digest,
            answer_digest=self.answer_digest,
        )

    def for_argument(self, argument: object, approved: Iterable[object]) -> EffectApproval:
        """Select what one effect may use.

        Args:
            argument: what the effect will get.
            approved: the values that the decision approved.
        """
        values = [msgspec.Raw(msgspec.json.encode(value)) for value in approved]
        chosen = next((value for value in values if difference(value, argument) is None), None)
        if chosen is None and len(values) == 1:
            chosen = values[0]
        base = self.for_replay()
        if chosen is None:
            return base
        files = {**_files_of(self.shown.evidence), **_files_of(chosen)}
        return replace(base, value=chosen, files=files)


def difference(approved: msgspec.Raw, argument: object) -> str | None:
    """Compare an argument with the approved value, which is decoded as the argument's type first.

    So a type may leave members out, and gain members with a default, without a difference.

    Returns:
        The JSON pointer of the first difference; None if there is none.
    """
    expected: object = approved
    if isinstance(argument, Struct):
        try:
            expected = msgspec.json.decode(approved, type=type(argument))
        except msgspec.ValidationError:
            expected = approved
    return first_difference(expected, argument)


def check_argument(approval: EffectApproval, argument: object) -> None:
    """Check that an effect gets what was approved.

    Raises:
        Conflict: `not_what_was_approved`; `item` is the JSON pointer of the first difference.
    """
    if isinstance(approval.value, UnsetType):
        raise not_what_was_approved(approval, "the argument is none of the values that were approved")
    place = difference(approval.value, argument)
    if place is not None:
        where = f"at {place}" if place else "as a whole"
        raise not_what_was_approved(approval, f"the argument differs {where}", item=place)


def check_file(approval: EffectApproval, key: str, body: bytes) -> None:
    """Check a stored file before an effect gets its bytes.

    Raises:
        Conflict: `not_what_was_approved`; `item` is the object key.
    """
    approved = approval.files.get(key)
    if approved is None:
        raise not_what_was_approved(approval, f"file {key} is not part of what was approved", item=key)
    if hashlib.sha256(body).hexdigest() != approved:
        raise not_what_was_approved(approval, f"file {key} has changed since", item=key)


def not_what_was_approved(approval: EffectApproval, reason: str, *, item: str | None = None) -> Conflict:
    return Conflict(
        f"approval {approval.approval_id} does not cover this effect: {reason}; ask again with what is to be"
        " used now",
        code=NOT_WHAT_WAS_APPROVED,
        approval_id=approval.approval_id,
        item=item,
    )


def _files_of(value: msgspec.Raw) -> dict[str, str]:
    return dict(_find_files(msgspec.json.decode(value)))


def _find_files(value: Any) -> Iterator[tuple[str, str]]:
    """Find the objects with the members `key` and `sha256`: references to stored files."""
    if isinstance(value, dict):
        key, digest = value.get("key"), value.get("sha256")
        if isinstance(key, str) and isinstance(digest, str) and digest:
            yield key, digest
        for member in value.values():
            yield from _find_files(member)
    elif isinstance(value, list):
        for item in value:
            yield from _find_files(item)


def check_events(events: Iterable[CloudEvent], approved: Collection[str] = ()) -> None:
    """Check that approved events are delivered as they were emitted.

    Args:
        approved: ids of events that must have a digest. Without these, an approved event that lost the
            attribute would pass as an ordinary one.

    Raises:
        Conflict: `not_what_was_approved`; `item` is the id of the event.
    """
    for event in events:
        has_lost_digest = event.effectdigest is None and event.id in approved
        if has_lost_digest or not is_as_approved(event):
            raise Conflict(
                f"event {event.name} ({event.id}) was changed after it was approved; it is not delivered",
                code=NOT_WHAT_WAS_APPROVED,
                item=event.id,
            )
