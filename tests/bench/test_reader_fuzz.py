"""Damaged input for the readers of documents, facts and invoice XML, with their CPU time.

Ten seconds for each reader, unless `SIGNALBOX_FUZZ_SECONDS` sets another time.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from typing import Final

import pytest

from support.papers.hostile import (
    MAX_PAGE_CHARS,
    PARTS,
    READERS,
    TEXT_PARTS,
    Edit,
    damaged,
    only_known_errors,
    read_text,
)

SECONDS_EACH: Final = int(os.environ.get("SIGNALBOX_FUZZ_SECONDS", "10"))
SEED: Final = 20261130
MAX_S_PER_100_KB: Final = 1.0


def spent(read: Callable[[], None]) -> float:
    began = time.process_time()
    read()
    return time.process_time() - began


def edits(dice: random.Random) -> list[Edit]:
    kinds = ("delete", "insert", "repeat", "overwrite")
    return [
        Edit(dice.choice(kinds), dice.random(), dice.choice((1, 8, 400, 20_000)), dice.randrange(len(PARTS)))
        for _ in range(dice.randrange(1, 8))
    ]


def hostile_text(dice: random.Random) -> str:
    """A few parts repeated to a length between a line and a page of the largest size."""
    unit = "".join(dice.choice(TEXT_PARTS) for _ in range(dice.randrange(1, 6)))
    length = dice.choice((200, 5_000, 100_000))
    return (unit * (length // len(unit) + 1))[:MAX_PAGE_CHARS]


@pytest.mark.parametrize("name", [*READERS, "text"])
@pytest.mark.timeout(60 + SECONDS_EACH * 3)
def test_damaged_input_costs_less_than_a_second_of_cpu_per_100_kb(name: str) -> None:
    dice = random.Random(f"{SEED}/{name}")
    worst, worst_input, count = 0.0, b"", 0
    until = time.monotonic() + SECONDS_EACH
    while time.monotonic() < until:
        count += 1
        if name == "text":
            text = hostile_text(dice)
            body = text.encode()
            took = spent(lambda text=text: read_text(text))
        else:
            read, seeds = READERS[name]
            body = damaged(dice.choice(seeds), edits(dice))
            took = spent(lambda read=read, body=body: only_known_errors(read, body))
        share = took / max(1.0, len(body) / 100_000)
        if share > worst:
            worst, worst_input = share, body
    sys.stdout.write(f"\n{name}: {count:,} inputs, at most {worst:.3f} s per 100 kB\n")
    assert worst <= MAX_S_PER_100_KB, worst_input[:200]
