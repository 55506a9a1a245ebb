"""A page that stays open while a run streams does not grow: heap, document and listeners stay as they are."""

import os
from itertools import count
from typing import Final

import pytest
from msgspec import Struct
from playwright.sync_api import CDPSession, Page, expect

from support.drivers.browser import Site, record
from support.drivers.run_writer import RunWriter

NUMBERS = count(1)
# A leak of what is drawn shows after a few hundred texts, a slow one after half an hour: 50,000 texts.
TEXTS: Final = int(os.environ.get("SIGNALBOX_HEAP_TEXTS", "400"))
TEXT_BYTES: Final = 100_000
PARTS: Final = 4
COUNT_TEXTS: Final = """(element) => {
    window.texts = 0;
    new MutationObserver(() => { window.texts += 1; })
        .observe(element, { childList: true, characterData: true, subtree: true });
}"""


class Memory(Struct, frozen=True):
    """What the page holds after a garbage collection."""

    heap_bytes: int
    nodes: int
    listeners: int


def memory(devtools: CDPSession) -> Memory:
    devtools.send("HeapProfiler.collectGarbage")
    heap = devtools.send("Runtime.getHeapUsage")
    counters = devtools.send("Memory.getDOMCounters")
    return Memory(int(heap["usedSize"]), counters["nodes"], counters["jsEventListeners"])


@pytest.mark.timeout(180 + TEXTS // 10)
def test_the_page_of_a_streaming_run_does_not_grow(signed_in: Page, site: Site) -> None:
    writer = RunWriter(site.redis_url, with_files=False)
    run_id = f"heap-{next(NUMBERS)}"
    writer.start(run_id)
    signed_in.goto(f"{site.origin}/#/runs/{run_id}")
    devtools = signed_in.context.new_cdp_session(signed_in)
    measured = []
    with writer.writing_text(run_id, TEXT_BYTES):
        text = signed_in.locator(".live-text")
        expect(text).to_be_visible()
        text.evaluate(COUNT_TEXTS)
        for part in range(PARTS):
            least = TEXTS * (part + 1) // PARTS
            signed_in.wait_for_function(
                "(least) => window.texts >= least", arg=least, timeout=60_000 + 100 * TEXTS
            )
            measured.append(memory(devtools))
    writer.end(run_id)
    record("heap", measured)
    first, last = measured[0], measured[-1]
    # A text has 32 kB: twenty that are kept show.
    assert last.heap_bytes < first.heap_bytes + 640_000, measured
    assert last.nodes <= first.nodes + 20, measured
    assert last.listeners <= first.listeners + 5, measured
