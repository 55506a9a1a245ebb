"""Counts the votes on a question by its recorded policy, and checks who may vote. Pure.

A vote is an answer or an objection. Votes for the same answer count together.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from temporalio.exceptions import ApplicationError

from signalbox_core.canonical_json import normalized_json
from signalbox_core.events.policy import CountedVote, Policy, QuorumProgress
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.subjects import Subject


class Vote(Struct, frozen=True, kw_only=True):
    """One subject's latest answer or objection."""

    decision: Decision
    voted_at: datetime

    @property
    def voter(self) -> Subject:
        return voter_of(self.decision)


class Tally(Struct, frozen=True, kw_only=True):
    """How far one answer has come.

    Attributes:
        counted: the votes for the answer that fill a place, with the group of the place.
    """

    quorum: tuple[QuorumProgress, ...]
    counted: tuple[CountedVote, ...]

    @property
    def is_full(self) -> bool:
        return all(item.counted >= item.needed for item in self.quorum)

    def group_of(self, decision_id: str) -> str | None:
        """The group for which a vote counts."""
        return next((vote.group for vote in self.counted if vote.decision_id == decision_id), None)


def voter_of(decision: Decision) -> Subject:
    """Who decides; a decision of an earlier release has a display name only."""
    return decision.decider or Subject(subject=f"name:{decision.decided_by}", name=decision.decided_by)


def tally(policy: Policy, votes: Mapping[str, Vote], answer: msgspec.Raw) -> Tally:
    """Count the votes for an answer; those of subjects that may not decide any more do not count.

    Args:
        votes: by the voter's subject, in the order in which they were cast.
    """
    canonical = normalized_json(answer)
    same = [
        vote
        for vote in votes.values()
        if not vote.decision.objection
        and (not policy.people or vote.voter.subject in policy.people)
        and normalized_json(vote.decision.answer) == canonical
    ]
    places = [quorum.group for quorum in policy.quorum for _ in range(quorum.needed)]
    taken = _assign(places, same)
    counted = {place: vote for place, vote in enumerate(taken) if vote is not None}
    return Tally(
        quorum=tuple(
            QuorumProgress(
                group=quorum.group,
                needed=quorum.needed,
                counted=sum(places[place] == quorum.group for place in counted),
            )
            for quorum in policy.quorum
        ),
        counted=tuple(
            CountedVote(decision_id=vote.decision.decision_id, subject=vote.voter, group=places[place])
            for place, vote in counted.items()
        ),
    )


def _assign(places: Sequence[str | None], votes: Sequence[Vote]) -> list[Vote | None]:
    """Give each vote at most one place that its voter's groups allow, so that most places are taken.

    Augmenting paths (bipartite matching): a later vote may move an earlier one to another of its places.
    """
    taken: list[Vote | None] = [None] * len(places)

    def place(vote: Vote, tried: set[int]) -> bool:
        for number, group in enumerate(places):
            if number in tried or not (group is None or group in vote.voter.groups):
                continue
            tried.add(number)
            occupant = taken[number]
            if occupant is None or place(occupant, tried):
                taken[number] = vote
                return True
        return False

    for vote in votes:
        place(vote, set())
    return taken


def veto_group(policy: Policy, voter: Subject) -> str | None:
    """The group by which an objection of this subject is a veto."""
    return next((group for group in policy.veto if group in voter.groups), None)


def first_group(policy: Policy, voter: Subject) -> str | None:
    """The first group of the quorum that a subject is in; None for any group."""
    return next((quorum.group for quorum in policy.quorum if quorum.group in voter.groups), None)


def check_voter(
    policy: Policy, starter: Subject | None, voter: Subject | None, *, objects: bool = False
) -> None:
    """Check that the policy lets a subject vote.

    Args:
        starter: who started the run, as its history records.
        objects: the vote is an objection, which members of veto groups may raise too.

    Raises:
        ApplicationError: `not_allowed_by_policy`; the fact `rule` names the rule.
    """
    if policy.is_default:
        return
    if voter is None:
        raise _refused("subject", "the decision names no subject; decide through the gateway")
    _check_subject(policy, starter, voter)
    if objects and veto_group(policy, voter) is not None:
        return
    _check_place(policy, voter)


def _check_subject(policy: Policy, starter: Subject | None, voter: Subject) -> None:
    if not policy.exclude_starter:
        return
    if starter is None:
        raise _refused(
            "exclude_starter",
            "the run does not record who started it, so nobody can be shown to be another person; "
            "start the run again through the gateway",
        )
    if starter.subject == voter.subject:
        raise _refused("exclude_starter", f"{voter.subject} started this run; another person has to decide")


def _check_place(policy: Policy, voter: Subject) -> None:
    if policy.people and voter.subject not in policy.people:
        raise _refused("people", f"{voter.subject} is not one of the people who decide this approval")
    groups = [quorum.group for quorum in policy.quorum]
    if None not in groups and not set(groups) & set(voter.groups):
        wanted = " or ".join(group for group in groups if group is not None)
        raise _refused("quorum", f"{voter.subject} is not in {wanted}; ask a member of that group to decide")


def _refused(rule: str, message: str) -> ApplicationError:
    return non_retryable_error(messages.NOT_ALLOWED_BY_POLICY, message, field="policy", rule=rule)
