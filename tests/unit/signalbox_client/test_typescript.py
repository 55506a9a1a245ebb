"""`signalbox types`: the contracts of pipelines as TypeScript."""

import argparse
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal, cast

import msgspec
import pytest
from msgspec import Meta, Struct

from signalbox_client.commands import runs as run_commands
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.models import ApprovalContract, Pipeline
from signalbox_client.typescript import declarations
from signalbox_client.wire.event_models import ExternalEventContract
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.spec import PipelineSpec, json_schema
from signalbox_gateway.api.pipelines import pipeline_view
from signalbox_pipelines.ad_creative.contract import SPEC as ADS
from signalbox_pipelines.ai_task.contract import SPEC as AI_TASK
from signalbox_pipelines.document_batch.contract import SPEC as DOCUMENTS
from signalbox_pipelines.invoice_import.contract import SPEC as INVOICES


class OrderLine(Struct, frozen=True, kw_only=True):
    """One line of
    an order."""

    article: str
    amount: int = 1


class GoodsOrder(Struct, frozen=True, kw_only=True):
    """What to order."""

    lines: tuple[OrderLine, ...]
    size: Annotated[Literal["s", "m"] | None, Meta(description="Of all */ lines")] = None
    labels: dict[str, float] = {}
    tags: tuple[Literal["new", "old"], ...] = ()
    extra: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def _raw(kind: type[Struct]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(json_schema(kind)))


def _pipeline() -> Pipeline:
    return Pipeline(
        name="order_goods",
        title="Order goods",
        input_schema=_raw(GoodsOrder),
        result_schema=_raw(OrderLine),
        approvals=(ApprovalContract(name="is-right", title="Right?", answer_schema=_raw(OrderLine)),),
    )


def test_events_that_runs_wait_for_are_members_with_the_type_of_their_data() -> None:
    event = ExternalEventContract(name="goods.sent", title="the goods", data_schema=_raw(OrderLine))
    text = declarations([msgspec.structs.replace(_pipeline(), external_events=(event,))])

    assert '    events: { "goods.sent": OrderGoodsOrderLine };\n' in text


def test_a_contract_becomes_an_entry_and_its_types() -> None:
    text = declarations([_pipeline()])
    entry = text[text.index("  /** Order goods") : text.index("export type PipelineName")]
    assert entry == (
        "  /** Order goods */\n"
        "  order_goods: {\n"
        "    input: OrderGoodsGoodsOrder;\n"
        "    result: OrderGoodsOrderLine;\n"
        '    answers: { "is-right": OrderGoodsOrderLine };\n'
        "  };\n"
        "}\n"
        "\n"
        "/** One line of an order. */\n"
        "export interface OrderGoodsOrderLine {\n"
        "  article: string;\n"
        "  amount?: number;\n"
        "}\n"
        "\n"
        "/** What to order. */\n"
        "export interface OrderGoodsGoodsOrder {\n"
        "  lines: OrderGoodsOrderLine[];\n"
        "  /** Of all * / lines */\n"
        '  size?: "m" | "s" | null;\n'
        "  labels?: Record<string, number>;\n"
        '  tags?: ("new" | "old")[];\n'
        "  extra?: unknown;\n"
        "}\n"
        "\n"
    )


@pytest.mark.parametrize("spec", [ADS, AI_TASK, DOCUMENTS, INVOICES], ids=lambda spec: spec.name)
def test_every_type_that_a_shipped_contract_uses_is_declared_once(spec: PipelineSpec) -> None:
    pipeline = msgspec.json.decode(msgspec.json.encode(pipeline_view(spec)), type=Pipeline)
    text = re.sub(r"/\*\*.*?\*/", "", declarations([pipeline]))
    prefix = "".join(part.title() for part in spec.name.split("_"))
    declared = re.findall(rf"export (?:interface|type) ({prefix}\w+)", text)
    assert len(declared) == len(set(declared))
    assert set(re.findall(rf"\b{prefix}\w+", text)) == set(declared)


class _Client:
    async def pipelines(self) -> tuple[Pipeline, ...]:
        return (_pipeline(),)


async def test_the_command_writes_the_file_or_names_why_it_cannot(tmp_path: Path) -> None:
    context = cast("CommandContext", SimpleNamespace(client=_Client(), as_json=False))
    target = tmp_path / "pipelines.d.ts"
    assert await run_commands.types(context, argparse.Namespace(to=str(target))) == 0
    assert target.read_text() == declarations([_pipeline()])
    with pytest.raises(InvalidInput, match="choose a file you can write to"):
        await run_commands.types(context, argparse.Namespace(to=str(tmp_path)))
