"""The work of `deploys`."""

from temporalio import activity

from support.deploys.contract import DeploysInput


@activity.defn(name="deploys.prepare")
async def prepare(request: DeploysInput) -> int:
    """Count the characters. Idempotent: pure."""
    return len(request.text)


@activity.defn(name="deploys.prepare_otherwise")
async def prepare_otherwise(request: DeploysInput) -> int:
    """Count the characters. Idempotent: pure."""
    return len(request.text)


@activity.defn(name="deploys.finish")
async def finish(request: DeploysInput) -> int:
    """Count the characters. Idempotent: pure."""
    return len(request.text)
