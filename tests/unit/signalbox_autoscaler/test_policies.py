"""The policy file: matching, validation and hot reload."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from signalbox_autoscaler.model import ScalingPolicy
from signalbox_autoscaler.policies import (
    DryRunPolicies,
    FixedPolicies,
    PolicyFile,
    read_policies,
)
from signalbox_core.errors import InvalidInput

GOOD = """
[default]
slo_s = 30
[queues.invoice_import]
max_workers = 20
budget_per_hour = "2.50"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "policies.toml").write_text(GOOD)
    return tmp_path / "policies.toml"


def test_a_queue_overrides_the_default(path: Path) -> None:
    policies = read_policies(path)
    named, other = policies.get("invoice_import"), policies.get("other")
    assert named is not None
    assert other is not None
    assert (named.slo_s, named.max_workers, named.budget_per_hour) == (
        30,
        20,
        Decimal("2.50"),
    )
    assert (other.slo_s, other.max_workers, other.budget_per_hour) == (30, 100, None)
    assert policies.queues() == ["invoice_import"]


def test_matching_tables_apply_in_file_order(path: Path) -> None:
    path.write_text(
        '[default]\nprice_per_worker_s = 0.000040\n[queues."*"]\nmax_workers = 40\nslo_s = 90\n'
        '[queues."*_import"]\nslo_s = 30\n[queues.invoice_import]\nmax_workers = 60\n'
    )
    policies = read_policies(path)

    assert policies.get("ad_creative") == ScalingPolicy(slo_s=90, max_workers=40)
    assert policies.get("invoice_import") == ScalingPolicy(slo_s=30, max_workers=60)
    assert policies.queues() == ["invoice_import"]


def test_without_a_default_only_named_queues_are_sized(path: Path) -> None:
    path.write_text("[queues.a]\n")
    assert read_policies(path).get("b") is None
    assert read_policies(path).get("a") is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "[queues.a]\nmax_workrs = 3",
            r"\[queues.a\].*max_workrs",
            id="unknown field",
        ),
        pytest.param("[queues.a]\nslo_s = 0", r"\[queues.a\].*slo_s", id="out of range"),
        pytest.param("[queue.a]\n", r"unknown table \[queue\]", id="unknown table"),
        pytest.param("queues = 3", "must be tables", id="not a table"),
        pytest.param("[queues]\na = 3", "queues.a must be a table", id="queue is not a table"),
        pytest.param("[[", "policies", id="not TOML"),
        pytest.param(
            "[default]\nbudget_per_hour = -1.5",
            r"\[default\]: budget_per_hour must be 0 or more, and is -1.5",
            id="money",
        ),
        pytest.param(
            "[default]\nprice_per_worker_s = 'nan'",
            "price_per_worker_s must be 0 or more",
            id="not a number",
        ),
        pytest.param(
            "[default]\nmax_launches_per_tick = 4",
            r"workers_per_launch \(5\) must not be more than",
            id="contradicting fields",
        ),
        pytest.param(
            '[queues."a*"]\nmax_launches_per_tick = 9\n[queues.ab]\nworkers_per_launch = 10',
            "the policy of ab|queues.ab",
            id="contradiction of matching tables",
        ),
    ],
)
def test_an_invalid_file_is_refused_with_table_and_field(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_policies(path)


def test_a_queue_on_which_two_patterns_contradict_each_other_is_not_sized(path: Path) -> None:
    """Each pattern is valid alone; they meet on a queue that is discovered later."""
    path.write_text(
        '[queues."invoice_*"]\nworkers_per_launch = 8\n[queues."*_import"]\nmax_launches_per_tick = 5\n'
    )
    policies = PolicyFile(path)

    assert policies.get("invoice_import") is None
    assert policies.get("invoice_export") == ScalingPolicy(workers_per_launch=8)
    assert policies.problem is not None
    assert "workers_per_launch (8) must not be more than max_launches_per_tick (5)" in policies.problem
    assert policies.problem.endswith("not sized: invoice_import")

    replace_file(path, "[queues.invoice_import]\n")
    assert (policies.queues(), policies.problem) == (["invoice_import"], None)
    assert policies.get("invoice_import") == ScalingPolicy()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.toml"):
        PolicyFile(tmp_path / "none.toml")


def test_a_valid_change_is_reloaded_and_an_invalid_one_is_not(path: Path) -> None:
    policies = PolicyFile(path)
    replace_file(path, "[queues.b]\nmax_workers = 1")
    assert policies.queues() == ["b"]

    replace_file(path, "[queues.b]\nmax_workers = -1")
    assert policies.queues() == ["b"]
    assert policies.problem is not None
    assert "max_workers" in policies.problem

    replace_file(path, "[queues.c]\n")
    assert (policies.queues(), policies.problem) == (["c"], None)


def test_a_file_replaced_by_one_of_the_same_size_and_time_counts_too(
    path: Path,
) -> None:
    path.write_text("[queues.a]\n")
    policies, before = PolicyFile(path), path.stat()
    other = path.with_name("other.toml")
    other.write_text("[queues.b]\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert policies.queues() == ["b"]


def test_without_a_provider_every_policy_is_a_dry_run(path: Path) -> None:
    policies = DryRunPolicies(read_policies(path))
    found = policies.get("invoice_import")
    assert found is not None
    assert found.dry_run
    assert DryRunPolicies(FixedPolicies({})).get("a") is None


def replace_file(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000_000))
