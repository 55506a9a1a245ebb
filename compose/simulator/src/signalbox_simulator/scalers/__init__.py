"""The autoscalers that are compared. Each module cites the source of the behaviour it models."""

from collections.abc import Callable, Mapping
from typing import Final

from signalbox_autoscaler.model import ScalingPolicy
from signalbox_simulator.engine import Scaler
from signalbox_simulator.scalers.keda import ScaledJob, ScaledObject, VersionedScaledObjects
from signalbox_simulator.scalers.reference import BaseOnly
from signalbox_simulator.scalers.serverless import Serverless
from signalbox_simulator.scalers.signalbox_sizing import SignalboxSizing
from signalbox_simulator.scalers.worker_controller import WorkerController

SIGNALBOX_SIZING: Final = "law"
PEERS: Final[Mapping[str, Callable[[], Scaler]]] = {
    "base only": BaseOnly,
    "keda": ScaledObject,
    "keda-50": lambda: ScaledObject(target=50, name="keda-50"),
    "keda-running": lambda: ScaledObject(counts_workflows=True, name="keda-running"),
    "keda-versions": VersionedScaledObjects,
    "keda-job": ScaledJob,
    "worker-controller": WorkerController,
    "serverless": Serverless,
}


def new_scaler(name: str, policy: ScalingPolicy) -> Scaler:
    """Create the scaler with this name, as it appears in the tables."""
    return SignalboxSizing(policy) if name == SIGNALBOX_SIZING else PEERS[name]()
