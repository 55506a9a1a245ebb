"""No provider: the autoscaler observes, decides and records, and launches nothing."""

from collections.abc import Sequence

from signalbox_autoscaler.providers.provider import Execution, LaunchRefused, LaunchSpec


class NoProvider:
    """Refuses every launch."""

    name = "none"
    max_workers = 10
    listing_delay_s = 5.0

    async def launch(self, spec: LaunchSpec) -> str:
        raise LaunchRefused(
            f"launch {spec.launch_id}: no provider is configured; set SIGNALBOX_AUTOSCALER_PROVIDER"
        )

    async def executions(self) -> Sequence[Execution]:
        return []

    async def cancel(self, handle: str) -> None:
        """Nothing runs."""

    async def aclose(self) -> None:
        """Nothing is open."""
