"""Versioned workers: the behavior of each workflow type follows from the contract of its pipeline."""

import logging
from typing import Any

import pytest
from msgspec.structs import replace
from temporalio import workflow
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCStatusCode

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.settings import read_settings
from signalbox_core.temporal.builds import Build, BuildState, Deployment
from signalbox_core.temporal.deployments import MakeCurrent
from signalbox_worker.deployment import deployment_config, ensure_current, first_build, warn_if_not_pinned
from signalbox_worker.pipelines import PipelineCode
from signalbox_worker.settings import PREFIX, Settings
from signalbox_worker.workflow_runner import versioning_behaviors
from support.deploys.contract import SPEC
from support.deploys.workflow import Current
from support.fakes.scripted_temporal import refusal, scripted_client

ENVIRONMENT = {
    "SIGNALBOX_WORKER_RECEIVER_URL": "http://r/e",
    "SIGNALBOX_WORKER_KEYID": "k",
    "SIGNALBOX_WORKER_PRIVATE_KEY_FILE": "",
    "SIGNALBOX_WORKER_OBJECTS_URL": "memory://",
}
BUILD = {"SIGNALBOX_WORKER_DEPLOYMENT_NAME": "shop", "SIGNALBOX_WORKER_BUILD_ID": "b1"}
PINNED = replace(SPEC, versioning="pinned")


@workflow.defn(name="helper")
class Helper:
    @workflow.run
    async def run(self) -> None:
        return None


def settings(**more: str) -> Settings:
    return read_settings(Settings, prefix=PREFIX, environ=ENVIRONMENT | more)


def test_every_workflow_of_a_pipeline_has_the_behavior_of_its_contract() -> None:
    pinned = PipelineCode(spec=PINNED, workflows=(Current, Helper))
    assert versioning_behaviors([pinned]) == dict.fromkeys(("deploys", "helper"), VersioningBehavior.PINNED)
    assert versioning_behaviors([PipelineCode(spec=SPEC, workflows=(Current,))]) == {
        "deploys": VersioningBehavior.AUTO_UPGRADE
    }


def test_another_versioning_is_refused() -> None:
    anything: Any = "latest"
    with pytest.raises(ValueError, match="pipeline deploys: versioning 'latest': use 'auto-upgrade' or"):
        replace(SPEC, versioning=anything)


@pytest.mark.parametrize("name", ["shop.eu", "shop:1", "a shop"])
def test_a_name_that_temporal_refuses_stops_the_start(name: str) -> None:
    with pytest.raises(InvalidInput, match="SIGNALBOX_WORKER_DEPLOYMENT_NAME"):
        settings(**BUILD | {"SIGNALBOX_WORKER_DEPLOYMENT_NAME": name})


def test_a_pinned_pipeline_on_an_unversioned_worker_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn_if_not_pinned([PINNED], deployment_config(settings(**BUILD)))
        warn_if_not_pinned([SPEC], None)
        assert not caplog.records
        warn_if_not_pinned([PINNED], None)
    assert vars(caplog.records[0])["pipelines"] == ["deploys"]


def test_the_first_build_becomes_current_and_later_ones_do_not() -> None:
    old = Build(build_id="b1", state=BuildState.CURRENT)
    new = Build(build_id="b2", state=BuildState.INACTIVE)
    assert first_build(Deployment(name="shop", builds=(new,)), "b2") == MakeCurrent(
        build_id="b2", is_forced=True
    )
    assert first_build(Deployment(name="shop", builds=(new, old)), "b2") is None


@pytest.mark.parametrize("status", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED])
async def test_a_worker_that_may_not_read_its_deployment_stops_with_one_line(status: RPCStatusCode) -> None:
    client, _ = scripted_client(describe_worker_deployment=refusal(status, "not permitted"))
    with pytest.raises(Unavailable, match=f"deployment shop: not permitted .{status.name}.; check"):
        await ensure_current(client, WorkerDeploymentVersion(deployment_name="shop", build_id="b1"))
