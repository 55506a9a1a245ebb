"""`python -m signalbox_devstack.demo [PIPELINE]`: run the demo of one pipeline."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError
from signalbox_devstack.demo.ad_creative import AdCreativeDemo
from signalbox_devstack.demo.ai_task import AiTaskDemo
from signalbox_devstack.demo.document_batch import DocumentBatchDemo
from signalbox_devstack.demo.invoice_import import InvoiceImportDemo
from signalbox_devstack.demo.runner import run_demo
from signalbox_devstack.demo.scenario import DemoScenario

SCENARIOS: Final[Mapping[str, DemoScenario]] = {
    scenario.pipeline: scenario
    for scenario in (AdCreativeDemo(), AiTaskDemo(), DocumentBatchDemo(), InvoiceImportDemo())
}
_DEFAULT: Final = "ad_creative"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 the run completed and its files are saved, 2 invalid usage, 1 any other failure."""
    names = list(sys.argv[1:] if argv is None else argv) or [_DEFAULT]
    try:
        if names[0] not in SCENARIOS or len(names) > 1:
            raise InvalidInput(
                f"unknown demo {' '.join(names)!r}; choose one of: {', '.join(SCENARIOS)}",
                field="PIPELINE",
            )
        return asyncio.run(run_demo(SCENARIOS[names[0]], Console(), dict(os.environ)))
    except SignalboxError as error:
        print(f"demo: {error.detail}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
