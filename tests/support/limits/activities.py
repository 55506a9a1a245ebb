"""The work of `limits`; a test replaces it by name."""

from temporalio import activity

from support.limits.contract import LimitsInput


@activity.defn(name="limits.fetch")
async def fetch(request: LimitsInput) -> str:
    """Return the text, and as many characters as requested. Idempotent: pure."""
    return request.text + "x" * request.size_bytes
