"""Rules for every installed pipeline. A new pipeline is covered as soon as it is installed."""

import importlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from temporalio import activity, workflow

from signalbox_core.pipeline import PipelineSpec, discover
from signalbox_core.pipeline.activity.loader import load_activities, load_workflow, sandbox
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.pipeline.spec import json_schema
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore

SPECS = [pytest.param(spec, id=name) for name, spec in sorted(discover().items())]
every_pipeline = pytest.mark.parametrize("spec", SPECS)


def structs_of(spec: PipelineSpec) -> Iterator[type[msgspec.Struct]]:
    yield from (spec.input, spec.result)
    yield from (approval.answer for approval in spec.approvals)
    yield from (event.data for event in spec.events)


def test_pipelines_are_discovered() -> None:
    assert SPECS


@every_pipeline
def test_its_titles_are_set(spec: PipelineSpec) -> None:
    assert spec.title
    assert spec.steps
    assert all(step.title for step in spec.steps)
    assert all(approval.title for approval in spec.approvals)


@every_pipeline
def test_its_structs_have_a_json_schema(spec: PipelineSpec) -> None:
    for kind in structs_of(spec):
        schema = json_schema(kind)
        Draft202012Validator.check_schema(schema)
        assert json.loads(msgspec.json.encode(schema))["type"] == "object"


@every_pipeline
def test_its_structs_are_frozen(spec: PipelineSpec) -> None:
    assert [kind for kind in structs_of(spec) if not kind.__struct_config__.frozen] == []


@every_pipeline
def test_its_input_refuses_unknown_fields(spec: PipelineSpec) -> None:
    assert spec.input.__struct_config__.forbid_unknown_fields


@every_pipeline
def test_its_workflow_has_the_name_and_input_of_the_spec(spec: PipelineSpec) -> None:
    found = workflow._Definition.must_from_class(load_workflow(spec))

    assert (found.name, found.arg_types, found.ret_type) == (spec.name, [spec.input], spec.result)


@every_pipeline
async def test_its_workflow_loads_in_the_sandbox(spec: PipelineSpec) -> None:
    sandbox([spec]).prepare_workflow(workflow._Definition.must_from_class(load_workflow(spec)))


@every_pipeline
def test_its_activities_are_prefixed_and_take_one_argument(spec: PipelineSpec) -> None:
    deps = ActivityDeps(objects=FakeObjectStore(), fetcher=FakeFetcher({}), environ={})

    for found in load_activities(spec, deps):
        definition: Any = activity._Definition.must_from_callable(found)
        assert definition.name.startswith(f"{spec.name}.")
        assert definition.arg_types is None or len(definition.arg_types) <= 1, definition.name


@every_pipeline
def test_its_contract_imports_no_workflow_code(spec: PipelineSpec) -> None:
    contract = importlib.import_module(spec.input.__module__)

    assert "temporalio" not in vars(contract)
    assert spec.workflow.partition(":")[0] != contract.__name__
