"""invoice_import: the state of an import. Unfinished invoices are retried, and none is retried for ever."""

from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox_pipelines.invoice_import.messages import (
    BatchDone,
    Counts,
    FamilyFound,
    FetchFault,
    Halt,
    ImportPart,
    ListResult,
)
from signalbox_pipelines.invoice_import.results import ItemFailure, Mismatch
from signalbox_pipelines.invoice_import.state.import_state import (
    INITIAL_BATCH,
    MAX_BATCH,
    MAX_CONCURRENCY,
    MAX_TRIES,
    MAX_UNANSWERED_TRIES,
    MIN_BATCH,
    STALL_TIMEOUT,
    ImportState,
)

NOW = datetime(2026, 8, 1, 3, 0, tzinfo=UTC)
PARTS = [ImportPart(first=date(2026, 8, 1), last=date(2026, 8, 31), direction="purchase")]
WAIT = Halt(reason="wait", message="it asked to slow down", wait_s=14)


def an_import_state(rows: int) -> ImportState:
    state = ImportState.begin(PARTS, "gdt-portal")
    state.apply_listing(PARTS[0], ListResult(seen=rows, found=(FamilyFound(family="ordinary", rows=rows),)))
    state.open_part()
    return state


def done(*places: int, **given: object) -> BatchDone:
    return BatchDone(
        done=places, counts={"ordinary": Counts(details=len(places), xml=len(places))}, answered=1, **given
    )


def a_fault(place: int) -> FetchFault:
    return FetchFault(
        place=place,
        key=f"key-{place}",
        family="ordinary",
        part="xml",
        code="portal_busy",
        message="no answer",
    )


def test_invoices_that_were_not_tried_come_first_in_the_next_batch() -> None:
    state = an_import_state(20)
    places = state.next_batch()
    state.apply_batch(places, done(*places[:3], halt=WAIT), NOW)

    assert places == tuple(range(INITIAL_BATCH))
    assert state.next_batch() == (3, 4, 5, 6)
    assert state.lines[0].xml == 3


def test_a_failing_invoice_is_retried_last_and_fails_after_max_tries() -> None:
    state = an_import_state(1)
    for _ in range(MAX_TRIES - 1):
        state.apply_batch(
            state.next_batch(), BatchDone(done=(), counts={}, faults=(a_fault(0),), answered=1), NOW
        )
        assert list(state.todo) == [0]
    state.apply_batch(
        state.next_batch(), BatchDone(done=(), counts={}, faults=(a_fault(0),), answered=1), NOW
    )

    assert not state.todo
    assert state.lines[0].failed == 1
    taken = state.drain_record()
    assert taken is not None
    assert (taken[0], [failure.code for failure in taken[1].failures]) == (0, ["portal_busy"])


def test_an_invoice_has_more_tries_while_the_portal_answers_nothing() -> None:
    state = an_import_state(1)
    tries = 0
    while state.todo:
        state.apply_batch(state.next_batch(), BatchDone(done=(), counts={}, faults=(a_fault(0),)), NOW)
        tries += 1

    assert tries == MAX_UNANSWERED_TRIES


def test_an_import_times_out_after_two_hours_without_any_answer() -> None:
    state = an_import_state(30)
    nothing = BatchDone(done=(), counts={}, halt=WAIT)
    state.apply_batch(state.next_batch(), nothing, NOW)
    assert not state.has_timed_out(NOW + STALL_TIMEOUT)
    assert state.has_timed_out(NOW + STALL_TIMEOUT + timedelta(seconds=1))

    places = state.next_batch()
    state.apply_batch(places, done(*places), NOW + STALL_TIMEOUT)
    assert not state.has_timed_out(NOW + 2 * STALL_TIMEOUT)


def test_batches_grow_after_successes_and_shrink_after_halts() -> None:
    state = an_import_state(500)
    for _ in range(20):
        places = state.next_batch()
        state.apply_batch(places, done(*places), NOW)
    assert (state.batch_size, state.concurrency) == (MAX_BATCH, MAX_CONCURRENCY)

    for _ in range(4):
        state.apply_batch(state.next_batch(), BatchDone(done=(), counts={}, halt=WAIT), NOW)
    assert (state.batch_size, state.concurrency) == (MIN_BATCH, 1)


def test_the_summary_names_the_part_and_its_progress() -> None:
    state = an_import_state(412)
    places = state.next_batch()
    state.set_in_flight(len(places))
    assert state.summary() == "August 2026 purchases: 0 of 412"

    state.apply_batch(places, done(*places), NOW)
    state.set_in_flight(0)
    assert state.summary("wait") == "August 2026 purchases: 8 of 412; wait"
    assert state.part_letters == "r"


def test_each_record_is_returned_once() -> None:
    state = an_import_state(3)
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
    state.apply_batch(
        state.next_batch(), done(0, 1, 2, no_original=(1,), failures=(failure,), mismatches=(differs,)), NOW
    )

    taken = state.drain_record()
    assert taken is not None
    assert (taken[1].no_original, taken[1].failures, taken[1].mismatches) == ((1,), (failure,), (differs,))
    assert state.drain_record() is None
    state.close_part()
    assert (state.part_letters, state.files[0].records) == ("f", 1)


@settings(deadline=None)
@given(st.integers(0, 120), st.randoms(use_true_random=False))
def test_each_invoice_finishes_or_fails_exactly_once_across_continue_as_new(rows: int, dice: Random) -> None:
    state = an_import_state(rows)
    finished: list[int] = []
    while state.todo:
        places = state.next_batch()
        good = [place for place in places if dice.random() < 0.6]
        bad = [place for place in places if place not in good and dice.random() < 0.5]
        before = state.lines[0].failed if state.lines else 0
        state.apply_batch(
            places,
            done(*good, faults=tuple(map(a_fault, bad)), halt=WAIT if len(good) < len(places) else None),
            NOW,
        )
        finished += good
        finished += [place for place in bad if place not in state.todo]
        assert state.lines[0].failed - before == sum(place not in state.todo for place in bad)
        if dice.random() < 0.3:
            state = ImportState(PARTS, state.save())
            state.open_part()

    assert sorted(finished) == list(range(rows))
