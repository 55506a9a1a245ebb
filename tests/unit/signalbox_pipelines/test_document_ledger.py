"""The batch's book and what is counted from it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.events.catalogue import Failure
from signalbox_pipelines.document_batch.batch_state import Kept, Ledger, chunked
from signalbox_pipelines.document_batch.contract import BatchInput, DocumentSpec, Outcome
from signalbox_pipelines.document_batch.messages import Plan
from signalbox_pipelines.document_batch.outcomes import failed, waiting
from signalbox_pipelines.document_batch.report import result_of, statistics_of

PLAN = Plan(folder="batches/acme/b", total=4, chunks=2)
SECOND = timedelta(seconds=1)


def done(index: int, **more: Any) -> Outcome:
    return Outcome(
        index=index,
        name=f"{index}.pdf",
        run_id=f"b.{index:05}",
        status="ok",
        kind="invoice",
        seconds=index + 1.0,
        **more,
    )


def test_every_document_has_its_letter() -> None:
    ledger = Ledger.of(PLAN)
    for index in (0, 1, 2):
        ledger.start(index)
    ledger.note(done(0))
    ledger.note(failed(1, "1.pdf", "b.00001", SECOND, Failure(code="too_large", message="…")))
    ledger.note(waiting(2, "2.pdf", "b.00002", SECOND))

    assert ledger.states == "cfw."
    assert ledger.sentence() == "2 of 4: 1 ok, 1 failed, 1 waiting for a person"


def test_the_second_word_about_a_document_changes_nothing() -> None:
    ledger = Ledger.of(PLAN)
    ledger.start(0)
    ledger.note(done(0))
    ledger.note(failed(0, "0.pdf", "b.00000", SECOND, Failure(code="late", message="…")))
    ledger.note(waiting(0, "0.pdf", "b.00000", SECOND))

    assert (ledger.states, [outcome.status for outcome in ledger.take_unwritten()]) == ("c...", ["ok"])


def test_a_document_that_waited_ends() -> None:
    ledger = Ledger.of(PLAN)
    ledger.start(3)
    ledger.note(waiting(3, "3.pdf", "b.00003", SECOND))
    ledger.note(done(3))

    assert (ledger.states, ledger.waiting, ledger.ended) == ("...c", {}, 1)


def test_the_next_execution_reads_the_same_book() -> None:
    ledger = Ledger.of(PLAN)
    ledger.start(0)
    ledger.note(waiting(0, "0.pdf", "b.00000", SECOND))
    ledger.next_chunk, ledger.files = 1, 1

    again = Ledger(msgspec.json.decode(msgspec.json.encode(ledger.keep()), type=Kept))

    assert (again.states, again.next_chunk, again.files, again.has_more) == ("w...", 1, 1, True)
    assert again.waiting == ledger.waiting


def test_chunks_cover_everything_once() -> None:
    assert [place for chunk in chunked(450, 200) for place in chunk] == list(range(450))
    assert [len(chunk) for chunk in chunked(450, 200)] == [200, 200, 50]


def test_the_result_counts_kinds_and_reasons() -> None:
    bad = failed(1, "1.pdf", "b.00001", SECOND, Failure(code="too_large", message="…"))

    result = result_of(3, [done(0), bad, waiting(2, "2.pdf", "b.00002", SECOND)])

    assert (result.ok, result.failed, result.waiting) == (1, 1, 1)
    assert (result.kinds, result.failures) == ({"invoice": 1}, {"too_large": 1})
    assert (result.first_failed, result.first_waiting[0].index) == ((bad,), 2)


def test_statistics_of_a_batch() -> None:
    found = statistics_of("b", [done(index, page_count=2, entities={"date": 1}) for index in range(20)])

    assert (found.documents, found.pages, found.entities) == (20, 40, {"date": 20})
    assert (found.seconds_median, found.seconds_p95, found.seconds_longest) == (11.0, 20.0, 20.0)
    assert statistics_of("b", []).seconds_longest == 0.0


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
def test_an_input_that_cannot_be_worked_on_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        msgspec.convert(given, BatchInput)

    assert refused.value.field in {"documents", "url", "languages"}


def test_a_document_needs_one_source() -> None:
    with pytest.raises(InvalidInput, match="either url or object"):
        DocumentSpec(url="https://a.example/1.pdf", object="uploads/a/b")
