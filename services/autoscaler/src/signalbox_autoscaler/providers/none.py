"""No provider: the autoscaler watches, decides and records, and launches nothing."""

from collections.abc import Sequence

from signalbox_autoscaler.providers.provider import Execution, LaunchRefused, Order


class NoProvider:
    name = "none"
    max_workers = 10
    settles_s = 5.0

    async def launch(self, order: Order) -> str:
        raise LaunchRefused(
            f"launch {order.launch_id}: no provider is configured; set SIGNALBOX_AUTOSCALER_PROVIDER"
        )

    async def executions(self) -> Sequence[Execution]:
        return []

    async def cancel(self, handle: str) -> None:
        """Nothing runs."""

    async def aclose(self) -> None:
        """Nothing is open."""
