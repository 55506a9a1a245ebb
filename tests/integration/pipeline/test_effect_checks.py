"""An effect that was approved gets exactly what was approved, or is refused before it runs."""

from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from signalbox_core.http.fetch import Fetcher
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline.contract.approved_effect import check_events
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.pipeline import PipelineUnderTest, pipeline_under_test, replay
from support.letters.activities import LetterActivities
from support.letters.contract import SPEC, ChosenLetters, LettersInput, LettersResult


@pytest.fixture
def letters(tmp_path: Path) -> LetterActivities:
    deps = ActivityDeps(objects=open_object_store(f"file://{tmp_path}"), fetcher=Fetcher(), environ={})
    return LetterActivities(deps)


def methods(letters: LetterActivities) -> list[object]:
    return [letters.write, letters.send, letters.send_other_file]


async def failure(pipeline: PipelineUnderTest, tamper: str) -> tuple[str, str]:
    """Send the letter to Lan with this tampering; the error's code and message."""
    run = await pipeline.start(LettersInput(tamper=tamper))
    await run.decide("send", ChosenLetters(names=("lan",)))
    with pytest.raises(WorkflowFailureError):
        await run.result()
    await replay(SPEC, await run.handle.fetch_history())
    error = (await run.snapshot()).error
    assert error is not None
    assert "letter.sent" not in run.event_names()
    return error.code, error.message


async def test_what_was_approved_is_sent_and_its_event_is_bound(
    client: Client, letters: LetterActivities
) -> None:
    async with pipeline_under_test(SPEC, activities=methods(letters), client=client) as pipeline:
        run = await pipeline.start(LettersInput())
        await run.decide("send", ChosenLetters(names=("lan", "minh")))

        assert await run.result() == LettersResult(sent=("lan", "minh"))
        await replay(SPEC, await run.handle.fetch_history())

    assert [(letter.name, body) for letter, body in letters.outgoing] == [
        ("lan", b"attachment for lan"),
        ("minh", b"attachment for minh"),
    ]
    sent = [event for event in run.events() if event.name == "letter.sent"]
    assert all(event.effectdigest for event in sent)
    check_events(sent)


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        pytest.param("unchosen", "the argument differs at /attachment/key", id="a letter nobody chose"),
        pytest.param("argument", "the argument differs at /text", id="another text"),
        pytest.param(
            "other_file", "file letters/minh.txt is not part of what was approved", id="another file"
        ),
    ],
)
async def test_an_effect_with_something_else_is_refused_before_it_runs(
    client: Client, letters: LetterActivities, tamper: str, message: str
) -> None:
    async with pipeline_under_test(SPEC, activities=methods(letters), client=client) as pipeline:
        code, text = await failure(pipeline, tamper)

    assert code == "not_what_was_approved"
    assert message in text
    assert letters.outgoing == []


async def test_an_event_with_other_data_is_refused(client: Client, letters: LetterActivities) -> None:
    async with pipeline_under_test(SPEC, activities=methods(letters), client=client) as pipeline:
        code, text = await failure(pipeline, "event")

    assert (code, "the argument differs at /text" in text) == ("not_what_was_approved", True)


async def test_a_file_that_changed_since_it_was_shown_is_refused(
    client: Client, letters: LetterActivities, tmp_path: Path
) -> None:
    async with pipeline_under_test(SPEC, activities=methods(letters), client=client) as pipeline:
        run = await pipeline.start(LettersInput(tamper="file"))
        await run.decide("send", ChosenLetters(names=("lan",)))
        (tmp_path / "letters" / "lan.txt").write_bytes(b"attachment for man")
        await run.handle.signal("go_on")
        with pytest.raises(WorkflowFailureError):
            await run.result()
        error = (await run.snapshot()).error

    assert error is not None
    assert error.code == "not_what_was_approved"
    assert "file letters/lan.txt has changed since" in error.message
    assert letters.outgoing == []
