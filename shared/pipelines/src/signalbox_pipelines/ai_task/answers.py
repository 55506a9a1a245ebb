"""Validation of a provider's output: finds the JSON object, checks it against the schema, formats the text.

Pure.
"""

import msgspec
from msgspec import Raw

from signalbox_core.chat_model.reasoning_filter import without_reasoning
from signalbox_pipelines.ai_task.contract import AiTaskInput
from signalbox_pipelines.ai_task.local.phrases import key_phrases
from signalbox_pipelines.ai_task.messages import CheckedAnswer
from signalbox_pipelines.ai_task.prompts import answer_schema
from signalbox_pipelines.ai_task.schema_validation import find_violations


def check_answer(task: AiTaskInput, text: str) -> CheckedAnswer:
    """Return the final answer; one with `problems` if the output is empty or violates the schema."""
    schema = answer_schema(task)
    text = without_reasoning(text)
    if schema is None:
        stripped = text.strip()
        if not stripped:
            return CheckedAnswer(problems=("the answer is empty",))
        phrases = key_phrases(task.text) if task.task == "summarise" else ()
        return CheckedAnswer(text=stripped, key_phrases=phrases)
    value = find_json_object(text)
    problems = ("the answer is not a JSON object",) if value is None else find_violations(schema, value)
    if problems:
        return CheckedAnswer(problems=problems, text=text)
    body = msgspec.json.encode(value)
    formatted = msgspec.json.format(body, indent=2).decode()
    return CheckedAnswer(text=formatted, data=Raw(body), media_type="application/json")


def find_json_object(text: str) -> dict[str, object] | None:
    """Decode `text`, or what is between its first and last brace: models often add prose or code fences."""
    start, end = text.find("{"), text.rfind("}")
    for candidate in (text, text[start : end + 1]) if start >= 0 else ():
        try:
            value = msgspec.json.decode(candidate.encode(errors="replace"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None
