"""invoice_import: the book of an import. What is not done is done again, and nothing is done for ever."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox_pipelines.invoice_import.messages import (
    BatchDone,
    Counts,
    FamilyFound,
    Fault,
    Halt,
    Listed,
    Part,
)
from signalbox_pipelines.invoice_import.results import ItemFailure, Mismatch
from signalbox_pipelines.invoice_import.state.import_state import (
    FIRST_BATCH,
    LARGEST_BATCH,
    MAX_BARREN_TRIES,
    MAX_TRIES,
    MOST_LANES,
    PATIENCE,
    SMALLEST_BATCH,
    Ledger,
)

NOW = datetime(2026, 8, 1, 3, 0, tzinfo=UTC)
PARTS = [Part(first=date(2026, 8, 1), last=date(2026, 8, 31), direction="purchase")]
WAIT = Halt(reason="wait", message="it asked to slow down", wait_s=14)


def a_ledger(rows: int) -> Ledger:
    ledger = Ledger.of(PARTS, "gdt-portal")
    ledger.note_listed(PARTS[0], Listed(seen=rows, found=(FamilyFound(family="ordinary", rows=rows),)))
    ledger.open_part()
    return ledger


def done(*places: int, **given: Any) -> BatchDone:
    return BatchDone(
        done=places, counts={"ordinary": Counts(details=len(places), xml=len(places))}, answered=1, **given
    )


def a_fault(place: int) -> Fault:
    return Fault(
        place=place,
        key=f"key-{place}",
        family="ordinary",
        part="xml",
        code="portal_busy",
        message="no answer",
    )


def test_what_a_batch_did_not_come_to_is_first_in_the_next() -> None:
    ledger = a_ledger(20)
    places = ledger.take()
    ledger.note(places, done(*places[:3], halt=WAIT), NOW)

    assert places == tuple(range(FIRST_BATCH))
    assert ledger.take() == (3, 4, 5, 6)
    assert ledger.lines[0].xml == 3


def test_an_invoice_that_failed_lets_the_others_go_first_and_fails_for_good_after_some_tries() -> None:
    ledger = a_ledger(1)
    for _ in range(MAX_TRIES - 1):
        ledger.note(ledger.take(), BatchDone(done=(), counts={}, faults=(a_fault(0),), answered=1), NOW)
        assert list(ledger.todo) == [0]
    ledger.note(ledger.take(), BatchDone(done=(), counts={}, faults=(a_fault(0),), answered=1), NOW)

    assert not ledger.todo
    assert ledger.lines[0].failed == 1
    taken = ledger.take_record()
    assert taken is not None
    assert (taken[0], [failure.code for failure in taken[1].failures]) == (0, ["portal_busy"])


def test_a_portal_that_answers_nothing_is_not_the_invoices_fault() -> None:
    ledger = a_ledger(1)
    tries = 0
    while ledger.todo:
        ledger.note(ledger.take(), BatchDone(done=(), counts={}, faults=(a_fault(0),)), NOW)
        tries += 1

    assert tries == MAX_BARREN_TRIES


def test_patience_ends_after_two_hours_without_any_answer() -> None:
    ledger = a_ledger(30)
    nothing = BatchDone(done=(), counts={}, halt=WAIT)
    ledger.note(ledger.take(), nothing, NOW)
    assert not ledger.is_hopeless(NOW + PATIENCE)
    assert ledger.is_hopeless(NOW + PATIENCE + timedelta(seconds=1))

    places = ledger.take()
    ledger.note(places, done(*places), NOW + PATIENCE)
    assert not ledger.is_hopeless(NOW + 2 * PATIENCE)


def test_batches_grow_while_all_goes_well_and_shrink_when_it_does_not() -> None:
    ledger = a_ledger(500)
    for _ in range(20):
        places = ledger.take()
        ledger.note(places, done(*places), NOW)
    assert (ledger.batch_size, ledger.lanes) == (LARGEST_BATCH, MOST_LANES)

    for _ in range(4):
        ledger.note(ledger.take(), BatchDone(done=(), counts={}, halt=WAIT), NOW)
    assert (ledger.batch_size, ledger.lanes) == (SMALLEST_BATCH, 1)


def test_people_are_told_what_and_how_far() -> None:
    ledger = a_ledger(412)
    places = ledger.take()
    ledger.note_under_way(len(places))
    assert ledger.sentence() == "August 2026 purchases: 0 of 412"

    ledger.note(places, done(*places), NOW)
    ledger.note_under_way(0)
    assert ledger.sentence("wait") == "August 2026 purchases: 8 of 412; wait"
    assert ledger.letters == "r"


def test_what_is_not_plain_is_written_once() -> None:
    ledger = a_ledger(3)
    failure = ItemFailure(
        key="k",
        month="2026-08",
        direction="purchase",
        family="ordinary",
        part="xml",
        code="bad_original",
        message="cut",
    )
    differs = Mismatch(
        key="m",
        month="2026-08",
        direction="purchase",
        family="ordinary",
        field="gross",
        listed="1",
        original="2",
    )
    ledger.note(
        ledger.take(), done(0, 1, 2, no_original=(1,), failures=(failure,), mismatches=(differs,)), NOW
    )

    taken = ledger.take_record()
    assert taken is not None
    assert (taken[1].no_original, taken[1].failures, taken[1].mismatches) == ((1,), (failure,), (differs,))
    assert ledger.take_record() is None
    ledger.close_part()
    assert (ledger.letters, ledger.files[0].records) == ("f", 1)


@settings(deadline=None)
@given(st.integers(0, 120), st.randoms(use_true_random=False))
def test_every_invoice_is_done_or_failed_once_whatever_happens_and_however_often_it_continues(
    rows: int, dice: Random
) -> None:
    ledger = a_ledger(rows)
    finished: list[int] = []
    while ledger.todo:
        places = ledger.take()
        good = [place for place in places if dice.random() < 0.6]
        bad = [place for place in places if place not in good and dice.random() < 0.5]
        before = ledger.lines[0].failed if ledger.lines else 0
        ledger.note(
            places,
            done(*good, faults=tuple(map(a_fault, bad)), halt=WAIT if len(good) < len(places) else None),
            NOW,
        )
        finished += good
        finished += [place for place in bad if place not in ledger.todo]
        assert ledger.lines[0].failed - before == sum(place not in ledger.todo for place in bad)
        if dice.random() < 0.3:
            ledger = Ledger(PARTS, ledger.keep())
            ledger.open_part()

    assert sorted(finished) == list(range(rows))
