"""`python -m signalbox_devstack.demo [PIPELINE]`: run the demo of one pipeline."""

import asyncio
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError
from signalbox_devstack.demo.runner import run_demo
from signalbox_devstack.demo.scenario import DemoScenario

SCENARIOS: Final[Mapping[str, str]] = {
    "ad_creative": "AdCreativeDemo",
    "ai_task": "AiTaskDemo",
    "document_batch": "DocumentBatchDemo",
    "invoice_import": "InvoiceImportDemo",
}
"""The class of each pipeline's demo, in the module of the same name. Only the chosen one is imported: the
libraries that draw the sample documents take longer to import than all else.
"""
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
        return asyncio.run(run_demo(load_scenario(names[0]), Console(), dict(os.environ)))
    except SignalboxError as error:
        print(f"demo: {error.detail}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


def load_scenario(pipeline: str) -> DemoScenario:
    module = importlib.import_module(f"signalbox_devstack.demo.{pipeline}")
    scenario: DemoScenario = getattr(module, SCENARIOS[pipeline])()
    return scenario


if __name__ == "__main__":
    sys.exit(main())
