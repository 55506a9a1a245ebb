"""Common calls to the gateway."""

import httpx2

from support.assertions.eventually import eventually

Json = dict[str, object]


async def started(caller: httpx2.AsyncClient, *, run_id: str | None = None, **given: object) -> str:
    """Start an echo run and return its id."""
    chosen = {"run_id": run_id} if run_id is not None else {}
    answer = await caller.post(
        "/v1/runs", json={"pipeline": "echo", "input": {"text": "hi", **given}, **chosen}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


async def ended(caller: httpx2.AsyncClient, run_id: str) -> Json:
    """Wait until the run has ended and return its snapshot."""

    async def snapshot() -> Json | None:
        body = (await caller.get(f"/v1/runs/{run_id}")).json()
        return body if body.get("ended_at") else None

    return await eventually(snapshot, within_s=60)


async def asked(caller: httpx2.AsyncClient, run_id: str) -> Json:
    """Wait until the run has an approval and return its snapshot."""

    async def snapshot() -> Json | None:
        body = (await caller.get(f"/v1/runs/{run_id}")).json()
        return body if body.get("approvals") else None

    return await eventually(snapshot, within_s=60)
