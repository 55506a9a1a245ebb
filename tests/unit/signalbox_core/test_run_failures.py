"""Translation of errors to Temporal's, and values that do not decode."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import Struct
from temporalio.exceptions import ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut

from signalbox_core.errors import Conflict, InvalidInput, RateLimited, SignalboxError, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.pipeline.contract.failures import as_application_error, failure_of
from signalbox_core.pipeline.options import CallOptions
from signalbox_core.temporal import data_converter


class Point(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    x: int
    at: datetime | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class Picky(Struct, frozen=True):
    word: str

    def __post_init__(self) -> None:
        if self.word == "taboo":
            raise InvalidInput("not that word", field="word")


@pytest.mark.parametrize(
    ("error", "final", "wait"),
    [
        pytest.param(InvalidInput("no", field="url"), True, None, id="rejected is not retried"),
        pytest.param(Conflict("no"), True, None, id="conflict is not retried"),
        pytest.param(Unavailable("later"), False, None, id="unavailable is retried"),
        pytest.param(
            RateLimited("slow", retry_after_s=7), False, timedelta(seconds=7), id="rate limited waits"
        ),
    ],
)
def test_signalbox_errors_become_application_errors(
    error: SignalboxError, final: bool, wait: timedelta | None
) -> None:
    translated = as_application_error(error)

    assert (translated.non_retryable, translated.next_retry_delay, translated.type) == (
        final,
        wait,
        error.stable_code,
    )


def test_a_failure_has_code_message_field_and_step() -> None:
    error = as_application_error(
        InvalidInput("url must be public", field="input.url", code="blocked_address", host="10.0.0.1")
    )

    assert failure_of(error, step="read") == Failure(
        code="blocked_address", message="url must be public", field="input.url", step="read"
    )


def test_an_error_decoded_from_temporal_is_equal() -> None:
    error = ApplicationError(
        "no",
        {"code": "not_html", "message": "not a page", "field": "input.url", "facts": {}},
        type="not_html",
    )

    assert failure_of(error) == Failure(code="not_html", message="not a page", field="input.url")


def test_an_error_with_a_code_takes_precedence_over_its_cause() -> None:
    outer, inner = (
        ApplicationError("no", {"code": "not_html", "message": "not a page"}),
        ApplicationError("x", type="InvalidInput"),
    )
    outer.__cause__ = inner

    assert failure_of(outer).code == "not_html"


@pytest.mark.parametrize(
    "details",
    [
        pytest.param({"code": "no_stock", "message": {"en": "sold out"}}, id="message of another type"),
        pytest.param({"code": "no_stock", "field": ["sku", 7]}, id="field of another type"),
    ],
)
def test_details_of_plain_temporal_code_may_have_any_form(details: dict[str, object]) -> None:
    assert failure_of(ApplicationError("no", details)) == Failure(code="no_stock", message="no")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ApplicationError("no", {"code": "x" * 9_000, "field": "y" * 9_000}), id="details"),
        pytest.param(ApplicationError("no", type="x" * 9_000), id="type"),
        pytest.param(ApplicationError("no" * 9_000, {"code": "c"}), id="message"),
    ],
)
def test_a_failure_fits_into_an_event(error: Exception) -> None:
    failure = failure_of(error)

    assert len(failure.code) <= 200
    assert len(failure.field or "") <= 200
    assert len(failure.message) <= 8_000


def test_an_error_may_be_its_own_cause() -> None:
    error = ValueError("odd")
    error.__cause__ = error

    assert failure_of(error) == Failure(code="unexpected_error", message="ValueError: odd")


def test_a_timeout_names_its_kind() -> None:
    failure = failure_of(TimedOut("late", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[]))

    assert failure.code == "timed_out"
    assert "heartbeat" in failure.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(ApplicationError("bad", type="no_stock"), "no_stock", id="a code of plain Temporal"),
        pytest.param(ApplicationError("'x'", type="KeyError"), "unexpected_error", id="a bug in an activity"),
        pytest.param(KeyError("x"), "unexpected_error", id="a bug"),
    ],
)
def test_an_error_without_a_code_gets_one(error: Exception, code: str) -> None:
    assert failure_of(error).code == code


def test_an_unbounded_retry_is_refused() -> None:
    with pytest.raises(ValueError, match="maximum_attempts"):
        CallOptions(timeout=timedelta(seconds=1), maximum_attempts=0)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(Point(x=1, at=datetime(2026, 1, 1, tzinfo=UTC)), id="struct"),
        pytest.param(Picky("fine"), id="struct with a rule"),
    ],
)
async def test_a_struct_round_trips(value: Struct) -> None:
    (decoded,) = await data_converter.decode(await data_converter.encode([value]), [type(value)])

    assert msgspec.json.encode(decoded) == msgspec.json.encode(value)


async def test_raw_json_is_unchanged() -> None:
    (payload,) = await data_converter.encode([msgspec.Raw(b'{"a": 1.0}')])
    (decoded,) = await data_converter.decode([payload], [msgspec.Raw])

    assert payload.data == b'{"a": 1.0}'
    assert bytes(decoded) == b'{"a": 1.0}'


async def test_null_and_bytes_keep_temporals_own_encodings() -> None:
    nothing, some = await data_converter.encode([None, b"x"])

    assert (nothing.metadata["encoding"], some.metadata["encoding"]) == (b"binary/null", b"binary/plain")


@pytest.mark.parametrize(
    ("body", "kind", "code", "field"),
    [
        pytest.param(b'{"x": "one"}', Point, "invalid_input", "x", id="wrong type"),
        pytest.param(b'{"x": 1, "y": 2}', Point, "invalid_input", None, id="unknown field"),
        pytest.param(b'{"x": ', Point, "invalid_input", None, id="cut off"),
        pytest.param(b"\xff", Point, "invalid_input", None, id="not text"),
        pytest.param(b'{"word": "taboo"}', Picky, "invalid_input", "word", id="violates the struct's rule"),
    ],
)
async def test_a_value_that_does_not_decode_is_not_retried_and_names_the_field(
    body: bytes, kind: type, code: str, field: str | None
) -> None:
    (payload,) = await data_converter.encode([1])
    payload.data = body

    with pytest.raises(ApplicationError) as raised:
        await data_converter.decode([payload], [kind])

    assert raised.value.non_retryable
    assert (raised.value.type, raised.value.details[0]["field"]) == (code, field)
