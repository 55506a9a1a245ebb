"""The autoscalers that are compared. What is known of the others' behaviour, and from where, stands at each."""

from collections.abc import Callable, Mapping
from typing import Final

from signalbox_autoscaler.model import ScalingPolicy
from signalbox_simulator.engine import Scaler
from signalbox_simulator.scalers.keda import ScaledJob, ScaledObject
from signalbox_simulator.scalers.law import Law
from signalbox_simulator.scalers.plain import BaseOnly
from signalbox_simulator.scalers.serverless import Serverless
from signalbox_simulator.scalers.worker_controller import WorkerController

LAW: Final = "law"
PEERS: Final[Mapping[str, Callable[[], Scaler]]] = {
    "base only": BaseOnly,
    "keda": ScaledObject,
    "keda-50": lambda: ScaledObject(target=50, name="keda-50"),
    "keda-job": ScaledJob,
    "worker-controller": WorkerController,
    "serverless": Serverless,
}


def new_scaler(name: str, policy: ScalingPolicy) -> Scaler:
    """A fresh one, by its name in the tables."""
    return Law(policy) if name == LAW else PEERS[name]()
