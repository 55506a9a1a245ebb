"""One operation as HTML: what it takes and returns, how it is called, and a form that calls it."""

import json
from collections.abc import Iterator, Mapping
from html import escape

from signalbox_gateway.api.reference.api_document import ApiOperation, ReplyObject, Schema
from signalbox_gateway.api.reference.code_samples import code_samples
from signalbox_gateway.api.reference.examples import example_of
from signalbox_gateway.api.reference.schema_view import member_row, prose, type_of


def operation_section(operation: ApiOperation, components: Mapping[str, Schema]) -> str:
    body = example_body(operation, components)
    described = operation.described
    name = escape(operation.name)
    return (
        f'<section class="operation" id="{name}" aria-labelledby="{name}-title">'
        f'<div class="operation-text"><h3 id="{name}-title">{prose(described.summary)}</h3>'
        f'<p class="operation-path">{method_sign(operation)} <code>{escape(operation.path)}</code></p>'
        f"<p>{prose(described.description)}</p>"
        f"{_parameters(operation)}{_body(operation)}{_replies(described.responses)}</div>"
        f'<div class="operation-code">{_samples(operation, body)}'
        f"{_reply_example(operation, components)}{_form(operation, body)}</div></section>"
    )


def method_sign(operation: ApiOperation) -> str:
    return f'<span class="method" data-method="{operation.method}">{operation.method}</span>'


def example_body(operation: ApiOperation, components: Mapping[str, Schema]) -> object:
    """The JSON body of the samples; None for an operation without one."""
    if operation.body is None or operation.body[0] != "application/json":
        return None
    content = operation.body[1]
    if content.example is not None:
        return content.example
    return example_of(content.schema, components, complete=False)


def _parameters(operation: ApiOperation) -> str:
    rows = "".join(
        member_row(
            item.name,
            {**item.schema, **({"description": item.description} if item.description else {})},
            is_required=item.required,
            note=item.place,
        )
        for item in operation.described.parameters
    )
    return f'<h4>Parameters</h4><ul class="members">{rows}</ul>' if rows else ""


def _body(operation: ApiOperation) -> str:
    if operation.body is None:
        return ""
    media_type, content = operation.body
    shown = type_of(content.schema) if media_type == "application/json" else "the bytes of the file"
    return f"<h4>Body</h4><p>{shown}</p>"


def _replies(replies: Mapping[str, ReplyObject]) -> str:
    rows = "".join(
        f"<li><code>{status}</code> <span>{prose(reply.description)}</span> {_reply_type(reply)}</li>"
        for status, reply in replies.items()
    )
    return f'<h4>Replies</h4><ul class="replies">{rows}</ul>'


def _reply_type(reply: ReplyObject) -> str:
    return " ".join(
        type_of(content.schema) if content.schema else escape(media_type)
        for media_type, content in reply.content.items()
    )


def _samples(operation: ApiOperation, body: object) -> str:
    return "".join(
        f'<figure class="sample" data-language="{language}"><figcaption>{language}</figcaption>'
        f"<pre><code>{escape(text)}</code></pre></figure>"
        for language, text in code_samples(operation, body).items()
    )


def _reply_example(operation: ApiOperation, components: Mapping[str, Schema]) -> str:
    status, reply = next(iter(operation.described.responses.items()))
    content = reply.content.get("application/json")
    if content is None or not content.schema:
        return ""
    shown = json.dumps(
        example_of(content.schema, components, complete=True), indent=2, ensure_ascii=False, default=str
    )
    return (
        f'<details class="reply-example"><summary>Example of the reply {status}</summary>'
        f"<pre><code>{escape(shown)}</code></pre></details>"
    )


def _form(operation: ApiOperation, body: object) -> str:
    """The form that sends the request. Streams and files have none; the script enables it."""
    if operation.is_stream or (operation.body is not None and operation.body[0] != "application/json"):
        return ""
    fields = "".join(_fields(operation, body))
    return (
        '<details class="try" hidden><summary>Try it</summary>'
        f'<form class="try-form" data-method="{operation.method}" data-path="{escape(operation.path)}">'
        f"{fields}"
        f'<button class="button primary" type="submit">Send {operation.method}</button>'
        '<output class="try-reply"></output></form></details>'
    )


def _fields(operation: ApiOperation, body: object) -> Iterator[str]:
    for item in operation.described.parameters:
        key = f"{operation.name}-{item.place}-{item.name}"
        required = " required" if item.required else ""
        yield (
            f'<div class="field"><label for="{escape(key)}">{escape(item.name)} ({item.place})</label>'
            f'<input id="{escape(key)}" name="{escape(item.name)}" data-place="{item.place}" type="text"'
            f' autocomplete="off" spellcheck="false"{required}></div>'
        )
    if body is not None:
        key = f"{operation.name}-body"
        text = json.dumps(body, indent=2, ensure_ascii=False)
        yield (
            f'<div class="field"><label for="{key}">Body (JSON)</label><textarea id="{key}" data-place="body"'
            f' rows="{min(text.count(chr(10)) + 1, 14)}" spellcheck="false">{escape(text)}</textarea></div>'
        )
