"""Frames of a run's stream as the gateway writes them, for tests of the client."""

import httpx2
import msgspec

from signalbox_core.events import full_type

AT = "2026-01-02T03:04:05Z"
END = "event: end\ndata: {}\n\n"


def event_frame(name: str, sequence: int | None = None, **data: object) -> str:
    """One event of run r1; without a sequence it is a progress event, which does not move the cursor."""
    step = {"stepid": data["step"]} if "step" in data else {}
    body = {
        "id": f"e{name}{sequence}",
        "type": full_type(name),
        "time": AT,
        "runid": "r1",
        "sequence": sequence,
        "data": data,
        **step,
    }
    cursor = f"id: e:{sequence}\n" if sequence is not None else ""
    return f"{cursor}data: {msgspec.json.encode(body).decode()}\n\n"


def snapshot_frame(status: str = "running", sequence: int = 2) -> str:
    """A snapshot of run r1, with one step."""
    run = {
        "run_id": "r1",
        "pipeline": "ai_task",
        "status": status,
        "steps": [{"name": "say", "title": "Say it", "status": status, "attempt": 1, "started_at": AT}],
        "epoch": "e",
        "sequence": sequence,
        "result": None,
    }
    return f"event: snapshot\ndata: {msgspec.json.encode(run).decode()}\n\n"


def retry_frame(milliseconds: int) -> str:
    return f"retry: {milliseconds}\n\n"


def parsed(frame: str) -> httpx2.ServerSentEvent:
    """The frame as the HTTP client parses it."""
    fields = dict(line.split(": ", 1) for line in frame.strip().splitlines())
    return httpx2.ServerSentEvent(
        event=fields.get("event", "message"),
        data=fields.get("data", ""),
        id=fields.get("id", ""),
        retry=int(fields["retry"]) if "retry" in fields else None,
    )


STEP_COMPLETED = event_frame("step.completed", 3, step="say", title="Say it", started_at=AT)
RUN_COMPLETED = event_frame("run.completed", 4, result=None, pipeline="ai_task")
