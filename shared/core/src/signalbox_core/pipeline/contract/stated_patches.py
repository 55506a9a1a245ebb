"""The patches that the gateway states at the start of a run, so that no marker records them.

The marker of a patch costs a billable action, two history events and an update of the visibility store. A
patch may be stated once every worker has it, which the order of an upgrade ensures: workers, then gateways.
"""

from typing import Final

from signalbox_core.pipeline.contract.spec import PipelineSpec

LEAN_QUESTIONS: Final = "signalbox.lean-questions"
"""The patch since which questions cost less. It takes the place of `signalbox.recorded-questions`.

The waits for their outcomes share one condition, few are recorded at a time, and a delivery waits until the
workflow has reacted to a decision.
"""
UNTITLED_SIZES: Final = "signalbox.untitled-sizes"
"""Patch: titles do not count towards the size up to which events piggyback. Only stated, never recorded.

A title may be edited while runs are open, and replay must still piggyback the same events. A run whose start
does not state the patch counts titles, as before.
"""

RECORDED_LINKS: Final = "signalbox.recorded-links"
"""Patch: a question records whether it may be decided by link. Only stated, never recorded as a marker.

The questions of a run whose start does not state it follow the live contract, as before.
"""
DETAILED_OUTCOMES: Final = "signalbox.detailed-outcomes"
"""Patch: events of approvals have more members, and so are larger. Only stated, never recorded as a marker.

A vote by signal has the door `signal`, and `approval.expired` has the outcome and the default answer. The
size of an event determines whether it piggybacks, so runs whose start does not state the patch continue
without these members.
"""
REACTION_FIRST: Final = "signalbox.reaction-first"
"""Patch: a delivery waits until the workflow has reacted to an external event. Only stated, never recorded.

The order of the commands must not depend on whether the workflow takes in the end of a delivery together with
the event: a worker and a later replay may differ in that.
"""


def stated_patches(spec: PipelineSpec) -> tuple[str, ...]:
    """Return the patches to state for a run; its child runs inherit them."""
    of_questions = (LEAN_QUESTIONS, RECORDED_LINKS, DETAILED_OUTCOMES)
    of_waits = (REACTION_FIRST,)
    return (
        UNTITLED_SIZES,
        *(of_questions if spec.approvals or spec.children else ()),
        *(of_waits if spec.external_events or spec.children else ()),
    )
