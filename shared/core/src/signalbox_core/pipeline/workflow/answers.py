"""Decodes answers: strictly when a decision is validated, without any rule once it is accepted. Pure."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import inspect

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.contract.spec import Approval

AnswerCheck = Callable[[Any], None]
"""A pipeline's rule for a decoded answer; raises InvalidInput."""

_PATH: Final = re.compile(r" - at `\$(.*)`\Z")
_MAX_DEPTH: Final = 100
_CHANGED: Final = "; the pipeline has changed since it asked this question"


def require_digest(decision: Decision) -> None:
    """Check that a decision states what was seen. Services may leave it out.

    Raises:
        ApplicationError: `digest_required`.
    """
    is_service = decision.decider is not None and decision.decider.kind == "service"
    if decision.digest is None and not is_service:
        raise non_retryable_error(
            messages.DIGEST_REQUIRED, messages.digest_required(decision.approval_id), field="digest"
        )


def validate_answer(
    approval: Approval[Any], decision: Decision, check: AnswerCheck | None, *, is_changed: bool = False
) -> None:
    """Check an answer against the type in the contract and the pipeline's rule.

    Args:
        is_changed: the answer's schema differs from the one recorded with the question, which the error
            then mentions.

    Raises:
        ApplicationError: `answer_too_large`; or `invalid_answer`, with the field as a path
            (`answer.choices[2].text`).
    """
    if (size := len(bytes(decision.answer))) > messages.MAX_ANSWER_BYTES:
        message = messages.answer_too_large(decision.approval_id, size)
        raise non_retryable_error(messages.ANSWER_TOO_LARGE, message, field="answer")
    note = _CHANGED if is_changed else ""
    try:
        answer = msgspec.json.decode(decision.answer, type=approval.answer)
        _check_whole(decision.answer)
        if check is not None:
            check(answer)
    except (msgspec.DecodeError, RecursionError) as error:
        found = _PATH.search(str(error))
        raise non_retryable_error(
            messages.INVALID_ANSWER,
            f"answer: {_PATH.sub('', str(error))}{note}",
            field=f"answer{found.group(1) if found else ''}",
        ) from None
    except SignalboxError as error:
        raise non_retryable_error(
            messages.INVALID_ANSWER, f"{error.detail}{note}", field=_answer_path(error.field), **error.facts
        ) from None


def _check_whole(answer: msgspec.Raw) -> None:
    """Check what the type of an answer ignores: it is recorded too, and the ledger and others read it.

    Raises:
        InvalidInput: it is nested too deeply.
        DecodeError, RecursionError: it cannot be read, for example because a number is out of range.
    """
    level: list[Any] = [msgspec.json.decode(answer)]
    for _ in range(_MAX_DEPTH):
        nested = [item for item in level if isinstance(item, dict | list)]
        if not nested:
            return
        level = [member for item in nested for member in (item.values() if isinstance(item, dict) else item)]
    raise InvalidInput(f"it is nested more than {_MAX_DEPTH} levels deep")


def _answer_path(field: str | None) -> str:
    if field is None:
        return "answer"
    return field if field.startswith("answer") else f"answer.{field}"


def decode_accepted(answer: msgspec.Raw, kind: type[Any]) -> Any:
    """Decode an answer that was accepted, whatever rules its type has gained since.

    Constraints (`Meta`) were checked when the decision arrived, and fields that the type no longer has are
    left out.

    Raises:
        ValidationError, TypeError: the answer has no value of the type any more, for example because of a new
            required field. The workflow task fails until the contract accepts the answer again.
    """
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.ValidationError:
        return _build(msgspec.json.decode(answer), inspect.type_info(kind))


def _build(value: Any, kind: inspect.Type) -> Any:
    """Build a value of the type from JSON, without the type's constraints."""
    leaf = _LEAVES.get(type(kind))
    if leaf is not None:
        return msgspec.convert(value, leaf)
    build = _BUILDERS.get(type(kind))
    if build is None:
        raise msgspec.ValidationError(f"an accepted answer cannot be read again as a {type(kind).__name__}")
    return build(value, kind)


def _build_struct(value: Any, kind: Any) -> Any:
    members = _expect(value, dict)
    return kind.cls(
        **{
            field.name: _build(members[field.encode_name], field.type)
            for field in kind.fields
            if field.encode_name in members
        }
    )


def _build_union(value: Any, kind: Any) -> Any:
    for option in kind.types:
        is_other = isinstance(value, dict) and _tag_differs(value, option)
        with suppress(msgspec.ValidationError, TypeError):
            if not is_other:
                return _build(value, option)
    raise msgspec.ValidationError("the accepted answer matches no member of a union")


def _tag_differs(value: Mapping[str, Any], kind: inspect.Type) -> bool:
    tag_field = getattr(kind, "tag_field", None)
    return tag_field is not None and value.get(tag_field) != getattr(kind, "tag", None)


def _build_items(make: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, kind: make(_build(item, kind.item_type) for item in _expect(value, list))


def _build_tuple(value: Any, kind: Any) -> Any:
    return tuple(_build(item, of) for item, of in zip(_expect(value, list), kind.item_types, strict=True))


def _build_dict(value: Any, kind: Any) -> Any:
    return {name: _build(item, kind.value_type) for name, item in _expect(value, dict).items()}


def _expect(value: Any, kind: type[Any]) -> Any:
    return msgspec.convert(value, kind)


_LEAVES: Final[Mapping[type[inspect.Type], Any]] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.BoolType: bool,
    inspect.FloatType: float,
    inspect.BytesType: bytes,
    inspect.DateTimeType: datetime,
    inspect.DateType: date,
    inspect.TimeType: time,
    inspect.TimeDeltaType: timedelta,
    inspect.UUIDType: UUID,
    inspect.DecimalType: Decimal,
    inspect.NoneType: type(None),
}
_BUILDERS: Final[Mapping[type[inspect.Type], Callable[[Any, Any], Any]]] = {
    inspect.Metadata: lambda value, kind: _build(value, kind.type),
    inspect.StructType: _build_struct,
    inspect.UnionType: _build_union,
    inspect.ListType: _build_items(list),
    inspect.VarTupleType: _build_items(tuple),
    inspect.SetType: _build_items(set),
    inspect.FrozenSetType: _build_items(frozenset),
    inspect.TupleType: _build_tuple,
    inspect.DictType: _build_dict,
    inspect.EnumType: lambda value, kind: msgspec.convert(value, kind.cls),
    inspect.LiteralType: lambda value, kind: msgspec.convert(value, Literal[tuple(kind.values)]),
    inspect.AnyType: lambda value, _kind: value,
    inspect.RawType: lambda value, _kind: msgspec.Raw(msgspec.json.encode(value)),
}
