"""A pipeline whose code cannot be loaded is skipped and named; the others are served."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.contract.discovery import InstalledPipelines
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_worker.pipelines import PipelineLoader, select_pipelines
from support.sample.contract import SPEC

DEPS = ActivityDeps(objects=FakeObjectStore(), fetcher=FakeFetcher({}), environ={})
PLAIN = "class W: pass\n"
ACTIVITY = "from temporalio import activity\n@activity.defn\nasync def act() -> None: ...\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def broken(folder: Path, *, workflow: str = PLAIN, activities: str = ACTIVITY) -> PipelineSpec:
    (folder / "acme_broken").mkdir()
    (folder / "acme_broken/__init__.py").touch()
    (folder / "acme_broken/workflow.py").write_text(workflow)
    (folder / "acme_broken/activities.py").write_text(activities)
    return msgspec.structs.replace(
        SPEC, name="acme", workflow="acme_broken.workflow:W", activities="acme_broken.activities"
    )


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"activities": "import no_such_library\n"}, "no_such_library", id="activities"),
        pytest.param({"workflow": "import no_such_library\n"}, "no_such_library", id="workflow"),
        pytest.param({"workflow": "\n"}, "has no attribute 'W'", id="no class"),
        pytest.param({"workflow": PLAIN}, "missing attributes", id="no workflow"),
    ],
)
async def test_code_that_cannot_be_loaded_is_skipped(
    folder: Path, files: dict[str, str], reason: str
) -> None:
    loader = PipelineLoader(InstalledPipelines(pipelines={}))

    codes = loader.load_workflows([broken(folder, **files), SPEC])

    assert [code.spec.name for code in codes] == ["sample"]
    (problem,) = loader.problems
    assert problem.startswith("pipeline acme: its code cannot be loaded: ")
    assert reason in problem


async def test_a_pipeline_whose_workflow_has_another_name_is_skipped(folder: Path) -> None:
    workflow = (
        "from temporalio import workflow\n"
        '@workflow.defn(name="other")\n'
        "class W:\n"
        "    @workflow.run\n"
        "    async def run(self) -> None: ...\n"
    )
    loader = PipelineLoader(InstalledPipelines(pipelines={}))

    codes = loader.load_workflows([broken(folder, workflow=workflow), SPEC])

    assert [code.spec.name for code in codes] == ["sample"]
    (problem,) = loader.problems
    assert "has the name 'other'; use @workflow.defn(name='acme')" in problem


@pytest.mark.parametrize(
    ("activities", "reason"),
    [
        pytest.param(
            ACTIVITY.replace("@activity.defn", '@activity.defn(name="sample.make")'),
            "the activity 'sample.make' is defined twice on task queue sample, first by pipeline sample",
            id="of another pipeline",
        ),
        pytest.param(
            ACTIVITY + '@activity.defn(name="act")\nasync def again() -> None: ...\n',
            "the activity 'act' is defined twice on task queue sample, first by pipeline acme",
            id="of its own",
        ),
        pytest.param(
            ACTIVITY.replace("@activity.defn", '@activity.defn(name="signalbox.deliver")'),
            "must not begin with 'signalbox.'",
            id="reserved",
        ),
    ],
)
async def test_an_activity_with_a_name_that_is_taken_stops_its_own_pipeline_only(
    folder: Path, activities: str, reason: str
) -> None:
    loader = PipelineLoader(InstalledPipelines(pipelines={}))
    good = loader.load_workflows([SPEC])
    bad = msgspec.structs.replace(good[0], spec=broken(folder, activities=activities))

    codes = loader.load_activities([*good, bad], DEPS)

    assert [code.spec.name for code in codes] == ["sample"]
    (problem,) = loader.problems
    assert problem.startswith("pipeline acme: its code cannot be loaded: ValueError: ")
    assert reason in problem


async def test_a_factory_of_activities_that_fails_is_skipped(folder: Path) -> None:
    factory = "class Activities:\n    def __init__(self, deps):\n        deps.environ['ACME_URL']\n"
    loader = PipelineLoader(InstalledPipelines(pipelines={}))
    good = loader.load_workflows([SPEC])
    bad = msgspec.structs.replace(good[0], spec=broken(folder, activities=factory))

    codes = loader.load_activities([bad, *good], DEPS)

    assert [code.spec.name for code in codes] == ["sample"]
    assert loader.problems == ["pipeline acme: its code cannot be loaded: KeyError: 'ACME_URL'"]


async def test_a_worker_that_can_serve_nothing_does_not_start(folder: Path) -> None:
    loader = PipelineLoader(InstalledPipelines(pipelines={}, problems=("entry point x: gone",)))

    with pytest.raises(InvalidInput, match="no pipeline can be served: entry point x: gone; pipeline acme"):
        loader.load_workflows([broken(folder, workflow="\n")])


def test_a_requested_pipeline_is_served_with_the_children_of_its_children() -> None:
    leaf = msgspec.structs.replace(SPEC, name="leaf")
    child = msgspec.structs.replace(SPEC, name="child", children=(leaf,))
    parent = msgspec.structs.replace(SPEC, name="parent", children=(child,))
    installed = {spec.name: spec for spec in (*parent.family, SPEC)}

    chosen = select_pipelines(installed, frozenset({"parent"}))

    assert [spec.name for spec in chosen] == ["child", "leaf", "parent"]


def test_the_refusal_of_an_unknown_pipeline_names_the_skipped_ones() -> None:
    with pytest.raises(
        InvalidInput, match="no pipeline 'acme'; installed: sample; skipped: entry point x: gone"
    ):
        select_pipelines({"sample": SPEC}, frozenset({"acme"}), ("entry point x: gone",))
