"""From what a provider wrote to the answer: JSON found and checked, text tidied. Pure."""

import msgspec
from msgspec import Raw

from signalbox_pipelines.ai_task.contract import AiTaskInput
from signalbox_pipelines.ai_task.local.phrases import key_phrases
from signalbox_pipelines.ai_task.messages import Checked
from signalbox_pipelines.ai_task.prompts import answer_schema
from signalbox_pipelines.ai_task.schema_conformance import problems_of


def checked_answer(task: AiTaskInput, text: str) -> Checked:
    """The answer in its final form, or `problems` when it is not what was asked for."""
    schema = answer_schema(task)
    if schema is None:
        tidy = text.strip()
        phrases = key_phrases(task.text) if task.task == "summarise" else ()
        return Checked(text=tidy, key_phrases=phrases) if tidy else Checked(problems=("the answer is empty",))
    found, value = json_in(text)
    problems = problems_of(schema, value) if found else ("the answer is not a JSON object",)
    if problems:
        return Checked(problems=problems, text=text)
    body = msgspec.json.encode(value)
    return Checked(
        text=msgspec.json.format(body, indent=2).decode(), data=Raw(body), media_type="application/json"
    )


def json_in(text: str) -> tuple[bool, object]:
    """The JSON object that the text is, or holds between its first and last brace (models like to add words and fences)."""
    start, end = text.find("{"), text.rfind("}")
    for candidate in (text, text[start : end + 1]) if start >= 0 else ():
        try:
            value = msgspec.json.decode(candidate.encode(errors="replace"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            return True, value
    return False, None
