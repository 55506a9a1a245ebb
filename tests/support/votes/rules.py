"""The rules of a policy, written down a second time for tests: who may vote, and when a quorum is full."""

from collections.abc import Mapping, Sequence
from itertools import permutations

from signalbox_core.events.policy import Policy

Groups = Mapping[str, tuple[str, ...]]
"""The groups of each voter, whose subject is `key:<name>`."""


def may_vote(policy: Policy, groups: Groups, voter: str, word: str, *, starter: str) -> bool:
    """Whether a policy lets a voter answer with a word, or object (`object`)."""
    if policy.exclude_starter and voter == starter:
        return False
    if word == "object" and set(policy.veto) & set(groups[voter]):
        return True
    is_named = not policy.people or f"key:{voter}" in policy.people
    return is_named and any(item.group in (None, *groups[voter]) for item in policy.quorum)


def is_filled(policy: Policy, groups: Groups, voters: Sequence[str]) -> bool:
    """Whether voters who gave the same answer fill every quorum, each one place."""
    places = [item.group for item in policy.quorum for _ in range(item.needed)]
    return any(
        all(group is None or group in groups[voter] for group, voter in zip(places, order, strict=True))
        for order in permutations(voters, len(places))
    )
