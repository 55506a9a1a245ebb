"""The chat client's pure parts: reasoning in answers, and what an endpoint's 400 teaches."""

import pytest

from signalbox_core.chat_model.dialect import Dialect
from signalbox_core.chat_model.reasoning_filter import ReasoningFilter, without_reasoning
from signalbox_core.chat_model.wire import ChatMessage, ChatRequest, ChatStreamOptions, ResponseFormat

REQUEST = ChatRequest(
    messages=(ChatMessage("user", "x"),),
    temperature=0.2,
    max_tokens=100,
    response_format=ResponseFormat(),
    stream=True,
    stream_options=ChatStreamOptions(),
)


def filtered(text: str, size: int) -> str:
    reasoning = ReasoningFilter()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    return "".join(reasoning.feed(chunk) for chunk in chunks) + reasoning.finish()


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Plain <b>text</b>.", "Plain <b>text</b>."),
        ("<think>why?</think>\n\nBecause.", "Because."),
        ("\n<thinking>a < b</thinking>Yes", "Yes"),
        ("<think>one</think><think>two</think> Done", "Done"),
        ("<think>never ends", ""),
        ("<thin air", "<thin air"),
        ("<", "<"),
        ("", ""),
        ("An answer about <think> tags </think>.", "An answer about <think> tags </think>."),
    ],
)
def test_reasoning_at_the_beginning_is_removed(text: str, answer: str, size: int) -> None:
    assert filtered(text, size) == answer


def test_an_open_block_of_reasoning_is_reported() -> None:
    reasoning = ReasoningFilter()
    reasoning.feed("<think>still")

    assert reasoning.is_open


def test_reasoning_without_its_opening_tag_is_removed_from_a_whole_answer() -> None:
    assert without_reasoning("I should {add}.</think>\n4") == "4"
    assert without_reasoning("  as it is ") == "  as it is "


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (
            b'{"error": {"message": "Unsupported parameter: \'max_tokens\' is not supported with this model. '
            b'Use \'max_completion_tokens\' instead.", "param": "max_tokens"}}',
            Dialect(has_completion_tokens=True),
        ),
        (
            b'{"error": {"message": "Unsupported value: \'temperature\' does not support 0.2"}}',
            Dialect(frozenset({"temperature"})),
        ),
        (
            b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}',
            Dialect(frozenset({"stream_options"})),
        ),
        (
            b'{"error": "response_format of type json_object is not supported"}',
            Dialect(frozenset({"response_format"})),
        ),
        (b'{"error": {"message": "max_tokens is too large: 100. At most 50."}}', None),
        (b'{"error": {"message": "Unknown model gpt-x"}}', None),
        (b"<html>", None),
    ],
)
def test_a_rejected_parameter_is_learned(body: bytes, dialect: Dialect | None) -> None:
    assert Dialect().learn(400, body, REQUEST) == dialect


def test_other_statuses_teach_nothing() -> None:
    assert Dialect().learn(500, b'{"error": "temperature is not supported"}', REQUEST) is None


def test_a_dialect_adapts_requests() -> None:
    adapted = Dialect.without(frozenset({"max_tokens", "temperature"})).adapt(REQUEST)

    assert (adapted.max_tokens, adapted.max_completion_tokens, adapted.temperature) == (None, 100, None)
    assert adapted.response_format == REQUEST.response_format
