"""The fold of a run's events shows of each approval what the table of its life cycle says."""

from functools import reduce

import pytest

from signalbox_core.events import Snapshot, fold
from signalbox_core.events.snapshot import assemble
from signalbox_core.pipeline.workflow.approval_lifecycle import CLOSED, TABLE, ApprovalPhase
from support.fakes.approval_cells import SHOWN, Cell, cells

CELLS = [pytest.param(cell, id=cell.name) for cell in cells()]
EMPTY = Snapshot(run_id="run-1", tenant="acme")


def shown(snapshot: Snapshot) -> str | None:
    return next((item.status for item in snapshot.approvals), None)


def test_every_phase_and_outcome_is_shown() -> None:
    assert set(SHOWN) == set(ApprovalPhase)
    outcomes = {SHOWN[cell.phase] for cell in TABLE.values() if cell.phase in CLOSED}
    assert {cell.shown for cell in cells()} >= outcomes


@pytest.mark.parametrize("cell", CELLS)
def test_a_snapshot_shows_what_the_table_says(cell: Cell) -> None:
    assert shown(reduce(fold, cell.events, EMPTY)) == cell.shown
    assert shown(assemble(EMPTY, reversed(cell.events))) == cell.shown
