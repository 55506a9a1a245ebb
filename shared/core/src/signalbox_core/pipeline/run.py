"""Public import path of `Run`, which a pipeline's workflow drives, of its errors and of `wait_until`."""

from signalbox_core.pipeline.contract.approved_effect import DecisionReceipt
from signalbox_core.pipeline.contract.failures import VetoedError, WaitExpiredError
from signalbox_core.pipeline.workflow.external.open_callback import OpenCallback
from signalbox_core.pipeline.workflow.run import Run
from signalbox_core.pipeline.workflow.waits import wait_until

__all__ = ["DecisionReceipt", "OpenCallback", "Run", "VetoedError", "WaitExpiredError", "wait_until"]
