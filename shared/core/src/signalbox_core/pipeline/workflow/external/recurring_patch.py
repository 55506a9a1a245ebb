"""A patch for a kind of message whose first ones a worker of an earlier release may have handled."""

from typing import Final

from temporalio import workflow

RETURNED_EVENTS: Final = "signalbox.returned-events"
"""The patch since which runs return events and mailboxes take them back; older histories replay as before."""


class RecurringPatch:
    """Off for the messages that an earlier release handled, on from the first one that this release handles.

    The SDK remembers the first answer to a patch id for the whole execution. In a rolling upgrade, in which
    an earlier release handled one message, a single id would stay off for all later ones. Each call therefore
    asks for an id of its own, until one is on: only workers that know the patch continue such a history.
    """

    def __init__(self, patch: str) -> None:
        self._patch = patch
        self._calls = 0
        self._is_on = False

    def is_on(self) -> bool:
        """Whether the message is to be handled as in this release. Deterministic if the calls are."""
        if not self._is_on:
            self._calls += 1
            self._is_on = workflow.patched(f"{self._patch}-{self._calls}")
        return self._is_on
