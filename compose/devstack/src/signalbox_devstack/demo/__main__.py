"""`python -m signalbox_devstack.demo [PIPELINE]`: 0 when the run completed and its files are there."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError
from signalbox_devstack.demo.ad_creative import AdCreative
from signalbox_devstack.demo.ai_task import AiTask
from signalbox_devstack.demo.document_batch import DocumentBatch
from signalbox_devstack.demo.invoice_import import InvoiceImport
from signalbox_devstack.demo.runner import play
from signalbox_devstack.demo.scenario import Scenario

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.pipeline: scenario for scenario in (AdCreative(), AiTask(), DocumentBatch(), InvoiceImport())
}
_FIRST: Final = "ad_creative"


def main(argv: Sequence[str] | None = None) -> int:
    """2 for a wrong argument, 1 for any other failure."""
    names = list(sys.argv[1:] if argv is None else argv) or [_FIRST]
    try:
        if names[0] not in SCENARIOS or len(names) > 1:
            raise InvalidInput(
                f"no demo of {' '.join(names)!r}; there are demos of: {', '.join(SCENARIOS)}",
                field="PIPELINE",
            )
        return asyncio.run(play(SCENARIOS[names[0]], Console(), dict(os.environ)))
    except SignalboxError as error:
        print(f"demo: {error.detail}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
