"""A pipeline whose contract is edited while its runs are open."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.subjects import Subject

CONTRACT = '''
from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.spec import Approval, PipelineSpec, Policy, Quorum, Step


class Order(Struct, frozen=True, kw_only=True):
    size: int = 3


class Offer(Struct, frozen=True, kw_only=True):
    number: int


class Choice(Struct, frozen=True, kw_only=True):
    """The choice."""

    number: Annotated[int, Meta(title="Number", ge=0)]


class Chosen(Struct, frozen=True, kw_only=True):
    numbers: list[int]


def check(answer: Choice) -> None:
    if answer.number > 5:
        raise InvalidInput("too large", field="number")


FIRST = Approval(name="first", title="First?", answer=Choice, deadline=timedelta(days=3))
SECOND = Approval(name="second", title="Second?", answer=Choice, deadline=timedelta(days=3))
SPEC = PipelineSpec(
    name="edited", title="Edited", input=Order, result=Chosen, workflow="edited_pipeline.workflow:Edited",
    steps=(Step("choose", "Choose"),), approvals=(FIRST, SECOND),
)
'''
WORKFLOW = """
from temporalio import workflow

from edited_pipeline.contract import FIRST, SECOND, SPEC, Chosen, Offer, Order, check
from signalbox_core.pipeline.options import QUICK, CallOptions
from signalbox_core.pipeline.run import Run
from support.whole.chain.activities import nothing


@workflow.defn(name="edited")
class Edited:
    @workflow.init
    def __init__(self, order: Order) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, order: Order) -> Chosen:
        async with self.signalbox as run, run.step("choose") as step:
            if not order.size:
                await step.call(nothing, 0, CallOptions(timeout=QUICK.timeout, maximum_attempts=1))
            offers = [Offer(number=number) for number in range(order.size)]
            numbers = []
            for approval in (FIRST, SECOND):
                numbers.append((await run.ask(approval, options=offers, check=check)).number)
            return Chosen(numbers=numbers)
"""
Deploy = Callable[[str], PipelineSpec]


@contextmanager
def deployments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    """A function that writes a version of the contract and imports it afresh, as a new worker does."""
    package = folder / "edited_pipeline"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "activities.py").touch()
    (package / "workflow.py").write_text(WORKFLOW)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(contract: str) -> PipelineSpec:
        (package / "contract.py").write_text(contract)
        forget()
        importlib.invalidate_caches()
        spec: PipelineSpec = importlib.import_module("edited_pipeline.contract").SPEC
        return spec

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "edited_pipeline"]:
            del sys.modules[name]

    yield write
    forget()


def choice(approval_id: str, number: int, digest: str | None = None) -> Decision:
    return Decision(
        approval_id=approval_id,
        decision_id=f"{approval_id}-{number}",
        answer=msgspec.Raw(msgspec.json.encode({"number": number})),
        decided_by="lan",
        digest=digest,
        decider=Subject(subject="key:tester", kind="service"),
    )
