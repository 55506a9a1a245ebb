"""Errors become problems (RFC 9457) with a status, a stable code and the fields at fault."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import msgspec
import pytest

import signalbox_gateway
from signalbox_core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidSignature,
    NotFound,
    RateLimited,
    Rejected,
    SignalboxError,
    Unavailable,
)
from signalbox_core.http.problems import FieldError, InvalidFields, problem_of
from signalbox_gateway.http.error_codes import CODES, Unauthenticated, bug_response, problem_response
from signalbox_gateway.runs.decide import CLASS_OF_REFUSAL

STATUSES = [
    (InvalidInput("x"), 422), (InvalidInput("x", code="bad_json"), 400),
    (InvalidInput("x", code="body_too_large"), 413), (InvalidInput("x", code="wrong_content_type"), 415),
    (Unauthenticated("x"), 401), (InvalidSignature("x"), 401), (Forbidden("x"), 403), (NotFound("x"), 404),
    (Rejected("x", code="method_not_allowed"), 405), (Conflict("x"), 409), (Rejected("x"), 422),
    (RateLimited("x", retry_after_s=3), 429), (Unavailable("x"), 503),
]  # fmt: skip


@pytest.mark.parametrize(("error", "status"), STATUSES)
def test_each_error_has_one_status(error: SignalboxError, status: int) -> None:
    assert problem_of(error).status == status


def test_a_problem_names_field_detail_and_facts() -> None:
    error = Conflict(
        "run r was already decided by lan",
        field="decision_id",
        code="already_decided",
        decided_by="lan",
        status=1,
    )

    body = msgspec.json.decode(problem_response(error).body)

    assert body == {
        "type": "urn:signalbox:problem:already-decided",
        "title": "Conflict",
        "status": 409,
        "detail": "run r was already decided by lan",
        "code": "already_decided",
        "field": "decision_id",
        "errors": [{"field": "decision_id", "detail": "run r was already decided by lan"}],
        "decided_by": "lan",
    }


def test_every_invalid_field_is_listed() -> None:
    problem = problem_of(
        InvalidFields((FieldError(field="a", detail="is wrong"), FieldError(field="b", detail="is missing")))
    )

    assert problem.detail == "a: is wrong; b: is missing"
    assert [error.field for error in problem.errors] == ["a", "b"]


def test_a_retryable_problem_has_retry_after() -> None:
    assert problem_response(RateLimited("x", retry_after_s=0.2)).headers["retry-after"] == "1"
    assert int(problem_response(Unavailable("x")).headers["retry-after"]) > 0
    assert "retry-after" not in problem_response(NotFound("x")).headers


def test_an_internal_error_reveals_nothing() -> None:
    body = msgspec.json.decode(bug_response().body)

    assert (body["status"], body["code"]) == (500, "internal_error")


# Raised where no request is answered: by background loops and deliveries of notifications.
INTERNAL = {"rejected"}


def raised_codes() -> Iterator[str]:
    """The codes of all errors that the gateway creates, whether given, named by a constant or by default."""
    for found in pkgutil.walk_packages(signalbox_gateway.__path__, "signalbox_gateway."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kind = getattr(module, node.func.id, None)
                if isinstance(kind, type) and issubclass(kind, SignalboxError):
                    yield from codes_of_call(module, kind, node)


def codes_of_call(module: ModuleType, kind: type[SignalboxError], call: ast.Call) -> Iterator[str]:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)
    match given:
        case None:
            yield kind.code
        case ast.Constant(value=str() as code):
            yield code
        case ast.Name(id=name) if isinstance(getattr(module, name, None), str):
            yield getattr(module, name)


def test_every_code_that_is_raised_is_documented() -> None:
    raised = set(raised_codes()) | set(CLASS_OF_REFUSAL)

    assert {"digest_required", "conflict", "unknown_pipeline"} <= raised
    assert raised - INTERNAL <= set(CODES)
