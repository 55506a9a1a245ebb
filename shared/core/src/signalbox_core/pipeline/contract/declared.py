"""Looks up what a contract declares; to use something that it does not declare is a bug of the pipeline."""

from typing import Any

from msgspec import Struct

from signalbox_core.pipeline.contract.external_event import ExternalEvent
from signalbox_core.pipeline.contract.failures import pipeline_bug
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec, Step


def declared_step(spec: PipelineSpec, name: str, title: str | None, number: int) -> Step:
    """Return the step as it is shown: with another title, or as a further step from number 2 on.

    Raises:
        ApplicationError: `pipeline_bug`.
    """
    step = next((item for item in spec.steps if item.name == name), None)
    if step is None:
        raise pipeline_bug(
            f"pipeline {spec.name} declares no step {name!r}; "
            f"its steps are: {', '.join(item.name for item in spec.steps)}"
        )
    if number < 1:
        raise pipeline_bug(f"step {name!r} has number {number}; numbers begin at 1")
    return Step(name if number == 1 else f"{name}-{number}", title or step.title)


def declared_approval(spec: PipelineSpec, approval: Approval[Any] | str) -> Approval[Any]:
    """Return the declared approval of that name. Raises: ApplicationError: `pipeline_bug`."""
    name = approval if isinstance(approval, str) else approval.name
    try:
        return spec.approval(name)
    except KeyError:
        names = ", ".join(item.name for item in spec.approvals)
        raise pipeline_bug(
            f"pipeline {spec.name} declares no approval {name!r}; its approvals are: {names or 'none'}"
        ) from None


def check_domain_event(spec: PipelineSpec, name: str, data: Struct) -> None:
    """Check that the domain event is declared with this type. Raises: ApplicationError: `pipeline_bug`."""
    declared = next((event for event in spec.events if event.name == name), None)
    if declared is None or not isinstance(data, declared.data):
        raise pipeline_bug(
            f"pipeline {spec.name} declares no event {name!r} with data {type(data).__name__}; "
            "add it to SPEC.events"
        )


def check_external_event(spec: PipelineSpec, event: ExternalEvent[Any]) -> None:
    """Check that the external event is declared. Raises: ApplicationError: `pipeline_bug`."""
    if spec.external_event(event.name) is None:
        raise pipeline_bug(
            f"pipeline {spec.name} declares no external event {event.name!r}; add it to SPEC.external_events"
        )
