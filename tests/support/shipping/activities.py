"""The work of `shipping`."""

from temporalio import activity


@activity.defn(name="shipping.file_parcel")
async def file_parcel(parcel: str) -> str:
    """Return the parcel's number. Idempotent: pure."""
    return parcel
