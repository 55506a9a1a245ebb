"""Problems as Starlette responses. Needs the extra `signalbox-core[server]`."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import Response

from signalbox_core.errors import NotFound, Rejected, SignalboxError
from signalbox_core.http.problems import (
    MEDIA_TYPE,
    Problem,
    encode_problem,
    internal_problem,
    problem_of,
    retry_after_of,
)


def problem_response(
    error: SignalboxError,
    *,
    headers: Mapping[str, str] | None = None,
    challenge: Mapping[str, str] | None = None,
    extensions: Mapping[str, object] | None = None,
) -> Response:
    """The response of an error.

    Args:
        headers: in lower case; they extend or replace those of the error itself (`retry-after`, `allow`).
        challenge: headers of a 401, which must name the authentication scheme (RFC 9110 §15.5.2).
        extensions: further members of the problem; none by default, as facts may be confidential.
    """
    problem = problem_of(error)
    retry_after = retry_after_of(error)
    own = {"retry-after": str(retry_after)} if retry_after else {}
    if problem.status == 405 and "allow" in error.facts:
        own["allow"] = str(error.facts["allow"])
    return _response(
        problem,
        {**own, **((challenge or {}) if problem.status == 401 else {}), **(headers or {})},
        extensions,
    )


def routing_error(error: HTTPException, not_found: str) -> SignalboxError:
    """The framework's refusal of a path or method as an error.

    Args:
        not_found: the sentence for an unknown path.
    """
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return Rejected(f"the method is not allowed; use {allow}", code="method_not_allowed", allow=allow)
    return NotFound(not_found)


def internal_error_response(detail: str) -> Response:
    """The response of a bug; see `internal_problem`."""
    return _response(internal_problem(detail), {}, None)


def _response(
    problem: Problem, headers: Mapping[str, str], extensions: Mapping[str, object] | None
) -> Response:
    return Response(
        encode_problem(problem, extensions),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **headers},
    )
