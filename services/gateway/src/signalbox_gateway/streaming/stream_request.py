"""What a request for a stream asks for, in its query and headers. Pure."""

from typing import Final, cast

from starlette.requests import HTTPConnection

from signalbox_core.errors import InvalidInput

MAX_RUNS: Final = 50


def is_tenant_stream(request: HTTPConnection) -> bool:
    """Whether the request is for the tenant's stream.

    Raises:
        InvalidInput: `all` is not 1, or runs are named as well.
    """
    given = request.query_params.getlist("all")
    if not given or "run_id" in request.path_params:
        return False
    if given != ["1"] or "run" in request.query_params:
        raise InvalidInput("use ?all=1 for all runs, or name runs as in ?run=a&run=b", field="all")
    return True


def last_event_id(request: HTTPConnection) -> str | None:
    # The header takes precedence: the browser updates it, the query is from when the page was opened.
    return request.headers.get("last-event-id") or request.query_params.get("last_event_id")


def includes_history(request: HTTPConnection) -> bool:
    """Whether the full history is requested.

    Raises:
        InvalidInput: `history` is not 1.
    """
    given = request.query_params.getlist("history")
    if given not in ([], ["1"]):
        raise InvalidInput("use ?history=1 for every event from the first, or omit it", field="history")
    return bool(given)


def included_runs(request: HTTPConnection) -> tuple[str, ...]:
    """The runs that a tenant's stream follows in addition to the open ones."""
    runs = tuple(dict.fromkeys(request.query_params.getlist("include")))
    if len(runs) > MAX_RUNS:
        raise InvalidInput(f"include at most {MAX_RUNS} runs, as in ?all=1&include=a", field="include")
    return runs


def requested_runs(request: HTTPConnection) -> tuple[str, ...]:
    """The requested runs in the order of the request, without duplicates."""
    if "run_id" in request.path_params:
        return (cast("str", request.path_params["run_id"]),)
    runs = tuple(dict.fromkeys(request.query_params.getlist("run")))
    if not 1 <= len(runs) <= MAX_RUNS:
        raise InvalidInput(f"name 1 to {MAX_RUNS} runs, as in ?run=a&run=b", field="run")
    return runs
