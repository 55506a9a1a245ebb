"""The request of an operation as a curl command, in Python and in JavaScript. Pure."""

import json
import pprint
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from signalbox_gateway.api.reference.api_document import ApiOperation
from signalbox_gateway.api.reference.examples import text_for

LANGUAGES: Final = ("curl", "Python", "JavaScript")
_FILE: Final = "FILE"


def code_samples(operation: ApiOperation, body: object) -> Mapping[str, str]:
    """The samples by language.

    Args:
        body: an example of the JSON body; None for an operation without one.
    """
    path = example_path(operation)
    return {
        "curl": " \\\n  ".join(_curl(operation, path, body)),
        "Python": "\n".join(_python(operation, path, body)),
        "JavaScript": "\n".join(_javascript(operation, path, body)),
    }


def example_path(operation: ApiOperation) -> str:
    """The path with examples in the place of its parameters, and the query parameters that are required."""
    path = re.sub(r"\{(\w+)\}", lambda found: text_for(found[1]).replace("…", "NAME"), operation.path)
    needed = [item.name for item in operation.described.parameters if item.place == "query" and item.required]
    query = "&".join(f"{name}={text_for(name).replace('…', 'VALUE')}" for name in needed)
    return f"{path}?{query}" if query else path


def _sends_file(operation: ApiOperation) -> bool:
    return operation.body is not None and operation.body[0] != "application/json"


def _curl(operation: ApiOperation, path: str, body: object) -> Iterator[str]:
    switch = " -N" if operation.is_stream else ""
    method = "" if operation.method == "GET" else f" -X {operation.method}"
    yield f'curl{switch}{method} "$SIGNALBOX_URL{path}"'
    if operation.needs_credentials:
        yield '-H "Authorization: Bearer $SIGNALBOX_API_KEY"'
    if _sends_file(operation):
        yield f"--data-binary @{_FILE}"
    elif body is not None:
        yield "-H 'Content-Type: application/json'"
        yield f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}"


def _python(operation: ApiOperation, path: str, body: object) -> Iterator[str]:
    yield "import os\n\nimport requests\n"
    yield f"reply = requests.{operation.method.lower()}("
    yield f"    f\"{{os.environ['SIGNALBOX_URL']}}{path}\","
    if operation.needs_credentials:
        yield '    headers={"Authorization": f"Bearer {os.environ[\'SIGNALBOX_API_KEY\']}"},'
    if _sends_file(operation):
        yield f'    data=open("{_FILE}", "rb"),'
    elif body is not None:
        literal = pprint.pformat(body, width=70, sort_dicts=False).replace("\n", "\n    ")
        yield f"    json={literal},"
    if operation.is_stream:
        yield "    stream=True,"
    yield ")\nreply.raise_for_status()"
    if operation.is_stream:
        yield "for line in reply.iter_lines(decode_unicode=True):\n    print(line)"
    else:
        shown = "json()" if operation.reply_media_type == "application/json" else "status_code"
        yield f"print(reply.{shown})"


def _javascript(operation: ApiOperation, path: str, body: object) -> Iterator[str]:
    headers = (
        ["Authorization: `Bearer ${process.env.SIGNALBOX_API_KEY}`"] if operation.needs_credentials else []
    )
    sends_file = _sends_file(operation)
    if body is not None and not sends_file:
        headers.append('"Content-Type": "application/json"')
    if sends_file:
        yield 'import { readFile } from "node:fs/promises";\n'
    yield f"const reply = await fetch(`${{process.env.SIGNALBOX_URL}}{path}`, {{"
    if operation.method != "GET":
        yield f'  method: "{operation.method}",'
    if headers:
        yield f"  headers: {{ {', '.join(headers)} }},"
    if sends_file:
        yield f'  body: await readFile("{_FILE}"),'
    elif body is not None:
        literal = json.dumps(body, ensure_ascii=False, indent=2).replace("\n", "\n  ")
        yield f"  body: JSON.stringify({literal}),"
    yield "});"
    yield "if (!reply.ok) throw new Error((await reply.json()).detail);"
    if operation.is_stream:
        yield "for await (const text of reply.body.pipeThrough(new TextDecoderStream())) console.log(text);"
    else:
        shown = "await reply.json()" if operation.reply_media_type == "application/json" else "reply.status"
        yield f"console.log({shown});"
