"""A rollout: which change each step makes, what counts as blocked, and what doctor says about builds."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from signalbox_admin.checks.deployments import assess_builds
from signalbox_admin.checks.findings import Level
from signalbox_admin.cli import main as admin
from signalbox_admin.deployments import row, table
from signalbox_admin.versions.canary import is_blocking
from signalbox_admin.versions.changes import back, canary, promote
from signalbox_admin.versions.overview import BuildOverview
from signalbox_core.errors import Conflict, NotFound
from signalbox_core.temporal.builds import Build, BuildState, Deployment
from signalbox_core.temporal.deployments import MakeCurrent, Ramp
from signalbox_core.temporal.task_failures import TaskFailure

NOW = datetime(2026, 11, 30, 18, tzinfo=UTC)
NEW = Build(build_id="b3", state=BuildState.INACTIVE)
CURRENT = Build(build_id="b2", state=BuildState.CURRENT, percent=100, last_current_at=NOW - timedelta(days=1))
OLD = Build(build_id="b1", state=BuildState.DRAINING, last_current_at=NOW - timedelta(days=9))
SHOP = Deployment(name="shop", builds=(NEW, CURRENT, OLD))
RAMPING = replace(SHOP, builds=(replace(NEW, state=BuildState.RAMPING, percent=10), CURRENT, OLD))
FIRST = Deployment(name="shop", builds=(CURRENT,))


def test_a_canary_gets_its_share_once() -> None:
    assert canary(SHOP, "b3", 10) == Ramp(build_id="b3", percent=10)
    assert canary(RAMPING, "b3", 10) is None
    assert canary(RAMPING, "b3", 50) == Ramp(build_id="b3", percent=50)


def test_the_promoted_build_becomes_current_once() -> None:
    assert promote(RAMPING, "b3") == MakeCurrent(build_id="b3")
    assert promote(SHOP, "b3", is_forced=True) == MakeCurrent(build_id="b3", is_forced=True)
    assert promote(SHOP, "b2") is None


def test_going_back_ends_a_ramp_or_restores_the_build_before() -> None:
    assert back(RAMPING, "b3") == Ramp()
    assert back(SHOP, "b2") == MakeCurrent(build_id="b1")
    assert back(SHOP, "b2", is_forced=True) == MakeCurrent(build_id="b1", is_forced=True)
    assert back(SHOP, "b3") is None


@pytest.mark.parametrize(
    ("deployment", "build", "reason"),
    [
        pytest.param(SHOP, "b2", "gets all runs already", id="is current"),
        pytest.param(replace(SHOP, builds=(NEW,)), "b3", "rollout promote shop b3", id="nothing is current"),
        pytest.param(RAMPING, "b1", "rollout back shop b3", id="another build is ramping"),
    ],
)
def test_a_canary_that_makes_no_sense_is_refused_with_the_remedy(
    deployment: Deployment, build: str, reason: str
) -> None:
    with pytest.raises(Conflict, match=reason):
        canary(deployment, build, 10)


def test_an_unknown_build_is_named_with_those_that_exist() -> None:
    for step in (back, promote):
        with pytest.raises(NotFound, match="no build 'b9'; builds: b3, b2, b1"):
            step(SHOP, "b9")


def test_the_first_build_has_none_to_go_back_to() -> None:
    with pytest.raises(Conflict, match="has ever been current"):
        back(FIRST, "b2")


@pytest.mark.parametrize(
    ("cause", "attempt", "blocks"),
    [
        ("non_deterministic_error", 2, True),
        ("workflow_worker_unhandled_failure", 2, True),
        ("timed_out", 2, False),
        ("timed_out", 4, True),
        ("unhandled_command", 2, False),
    ],
)
def test_a_run_is_blocked_by_its_code_and_not_by_a_restarted_worker(
    cause: str, attempt: int, *, blocks: bool
) -> None:
    failure = TaskFailure(cause=cause, message="", stack_trace="", at=NOW)
    assert is_blocking(failure, attempt) is blocks


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("canary shop b1 --percent 0", "--percent 0: use 1 to 100"),
        ("canary shop b1 --watch -1", "--watch -1: use 0 to 604800 seconds"),
        ("canary shop b1 --watch nan", "--watch nan: use 0 to 604800 seconds"),
        ("promote shop b'1", "names contain no quotation marks"),
        ("promote shop", "the following arguments are required: BUILD"),
    ],
)
def test_a_wrong_option_is_an_error_in_one_line(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert admin(["rollout", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


OVERVIEW = BuildOverview(
    deployment="shop",
    build="b2",
    state=BuildState.CURRENT,
    percent=100,
    since=NOW - timedelta(days=3),
    is_drained=False,
    open_runs=12,
    pinned_runs=7,
    has_workers=True,
    unserved_queues=(),
)
WITHOUT = replace(OVERVIEW, has_workers=False)


@pytest.mark.parametrize(
    ("builds", "level", "detail"),
    [
        pytest.param([OVERVIEW], Level.OK, "build b2 is current", id="sound"),
        pytest.param(
            [OVERVIEW, replace(WITHOUT, build="b1", state=BuildState.DRAINING)],
            Level.ERROR,
            "7 open runs are pinned to build b1",
            id="pinned runs without workers",
        ),
        pytest.param([WITHOUT], Level.ERROR, "is current and has no workers", id="current without workers"),
        pytest.param(
            [replace(OVERVIEW, state=BuildState.INACTIVE)], Level.ERROR, "no current build", id="none current"
        ),
        pytest.param(
            [replace(OVERVIEW, build="b3", state=BuildState.RAMPING, percent=10), OVERVIEW],
            Level.WARNING,
            "ramping at 10 % for 3 d",
            id="forgotten canary",
        ),
    ],
)
def test_doctor_assesses_the_builds(builds: list[BuildOverview], level: Level, detail: str) -> None:
    (finding,) = assess_builds(builds, NOW)
    assert finding.level is level
    assert detail in finding.detail
    assert bool(finding.remedy) is (level is not Level.OK)


def test_a_deployment_without_workers_and_open_runs_is_abandoned() -> None:
    assert assess_builds([replace(WITHOUT, open_runs=0, pinned_runs=0)], NOW) == []


def test_the_list_shows_which_workers_may_be_stopped() -> None:
    drained = replace(
        OVERVIEW, build="b1", state=BuildState.DRAINED, is_drained=True, open_runs=0, pinned_runs=0
    )
    partly = replace(OVERVIEW, build="b3", state=BuildState.RAMPING, percent=10, unserved_queues=("ads",))
    assert table([row(item) for item in (partly, OVERVIEW, drained)]) == [
        "shop  b3  ramping 10 %  12  7  no   none for ads",
        "shop  b2  current       12  7  no   polling",
        "shop  b1  drained       0   0  yes  polling",
    ]
