"""The state of a batch, and what is computed from its outcomes."""

from datetime import timedelta

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.events.catalogue import Failure
from signalbox_pipelines.document_batch.batch_state import BatchState, SavedBatchState, chunk_ranges
from signalbox_pipelines.document_batch.contract import BatchInput, DocumentOutcome, DocumentSpec
from signalbox_pipelines.document_batch.messages import BatchPlan
from signalbox_pipelines.document_batch.outcomes import build_result, build_statistics, failed, waiting

PLAN = BatchPlan(folder="batches/acme/b", total=4, chunks=2)
SECOND = timedelta(seconds=1)


def done(index: int, **more: object) -> DocumentOutcome:
    return DocumentOutcome(
        index=index,
        name=f"{index}.pdf",
        run_id=f"b.{index:05}",
        status="ok",
        kind="invoice",
        seconds=index + 1.0,
        **more,
    )


def test_each_document_has_a_status_letter() -> None:
    state = BatchState.begin(PLAN)
    for index in (0, 1, 2):
        state.start(index)
    state.apply(done(0))
    state.apply(failed(1, "1.pdf", "b.00001", SECOND, Failure(code="too_large", message="…")))
    state.apply(waiting(2, "2.pdf", "b.00002", SECOND))

    assert state.states == "cfw."
    assert state.summary() == "2 of 4: 1 ok, 1 failed, 1 waiting for a person"


def test_a_second_outcome_of_a_document_is_ignored() -> None:
    state = BatchState.begin(PLAN)
    state.start(0)
    state.apply(done(0))
    state.apply(failed(0, "0.pdf", "b.00000", SECOND, Failure(code="late", message="…")))
    state.apply(waiting(0, "0.pdf", "b.00000", SECOND))

    assert (state.states, [outcome.status for outcome in state.drain_unrecorded()]) == ("c...", ["ok"])


def test_a_waiting_document_can_end() -> None:
    state = BatchState.begin(PLAN)
    state.start(3)
    state.apply(waiting(3, "3.pdf", "b.00003", SECOND))
    state.apply(done(3))

    assert (state.states, state.waiting, state.ended) == ("...c", {}, 1)


def test_the_state_survives_continue_as_new() -> None:
    state = BatchState.begin(PLAN)
    state.start(0)
    state.apply(waiting(0, "0.pdf", "b.00000", SECOND))
    state.next_chunk, state.files = 1, 1

    restored = BatchState(msgspec.json.decode(msgspec.json.encode(state.save()), type=SavedBatchState))

    assert (restored.states, restored.next_chunk, restored.files, restored.has_more) == ("w...", 1, 1, True)
    assert restored.waiting == state.waiting


def test_chunks_cover_each_position_once() -> None:
    assert [place for chunk in chunk_ranges(450, 200) for place in chunk] == list(range(450))
    assert [len(chunk) for chunk in chunk_ranges(450, 200)] == [200, 200, 50]


def test_the_result_counts_kinds_and_failures() -> None:
    bad = failed(1, "1.pdf", "b.00001", SECOND, Failure(code="too_large", message="…"))

    result = build_result(3, [done(0), bad, waiting(2, "2.pdf", "b.00002", SECOND)])

    assert (result.ok, result.failed, result.waiting) == (1, 1, 1)
    assert (result.kinds, result.failures) == ({"invoice": 1}, {"too_large": 1})
    assert (result.first_failed, result.first_waiting[0].index) == ((bad,), 2)


def test_statistics_of_a_batch() -> None:
    found = build_statistics("b", [done(index, page_count=2, entities={"date": 1}) for index in range(20)])

    assert (found.documents, found.pages, found.entities) == (20, 40, {"date": 20})
    assert (found.seconds_median, found.seconds_p95, found.seconds_longest) == (11.0, 20.0, 20.0)
    assert build_statistics("b", []).seconds_longest == 0.0


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param(
            {"documents": [{"url": "https://a.example/1.pdf"}], "manifest": "uploads/a/b"}, id="both"
        ),
        pytest.param({"documents": [{"url": "ftp://a.example/1.pdf"}]}, id="no web address"),
        pytest.param({"documents": [{"name": "x"}]}, id="no source"),
        pytest.param(
            {"documents": [{"url": "https://a.example/1.pdf"}], "languages": ["vi", "vi"]},
            id="language twice",
        ),
    ],
)
def test_an_invalid_batch_input_is_rejected(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        msgspec.convert(given, BatchInput)

    assert refused.value.field in {"documents", "url", "languages"}


def test_a_document_needs_exactly_one_source() -> None:
    with pytest.raises(InvalidInput, match="either url or object"):
        DocumentSpec(url="https://a.example/1.pdf", object="uploads/a/b")
