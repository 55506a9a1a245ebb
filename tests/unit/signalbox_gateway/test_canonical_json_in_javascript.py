"""Python and JavaScript write the same canonical JSON (RFC 8785), on which digests of questions depend."""

import json
import math
import random
import struct
import subprocess
from collections.abc import Callable
from typing import Any, Final

import msgspec
from playwright._impl._driver import compute_driver_executable

from signalbox_core.canonical_json import jcs_json
from signalbox_core.events.question_digest import JCS_PREFIX, QuestionContent
from signalbox_gateway.web import CLIENT

VALUES = 1_000
MAX_SAFE: Final = 2**53 - 1
# One of each order: ASCII, control characters, Latin, above and below the surrogates in UTF-16, and emoji.
CHARACTERS: Final = (
    'aZ0_"\\/\b\t\n\u0000\u001f\u007f\u0080éộ\u2028\ud7ff\ue000\ufb33\uffff😀\U00010000\U0010ffff'
)
SCRIPT = """
import { canonicalJson } from "./canonical-json.js";
let text = "";
for await (const part of process.stdin.setEncoding("utf8")) text += part;
process.stdout.write(JSON.stringify(JSON.parse(text).map((each) => canonicalJson(JSON.parse(each)))));
"""


def written_by_javascript(texts: list[str]) -> list[str]:
    node, _ = compute_driver_executable()
    done = subprocess.run(
        [str(node), "--input-type=module", "--eval", SCRIPT],
        cwd=CLIENT / "questions",
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


class RandomJson:
    """Random JSON values from a seed."""

    def __init__(self, seed: int, integer: Callable[[random.Random], int]) -> None:
        self._chance = random.Random(seed)
        self._integer = integer

    def value(self, depth: int = 4) -> Any:
        kinds = [self._scalar, self._array, self._object] if depth else [self._scalar]
        return self._chance.choice(kinds)(depth - 1)

    def _scalar(self, _: int) -> object:
        chance = self._chance
        return chance.choice(
            [None, True, False, self._integer(chance), self._float(), self._text(), chance.random()]
        )

    def _array(self, depth: int) -> list[object]:
        return [self.value(depth) for _ in range(self._chance.randrange(4))]

    def _object(self, depth: int) -> dict[str, object]:
        return {self._text(): self.value(depth) for _ in range(self._chance.randrange(5))}

    def _text(self) -> str:
        return "".join(self._chance.choices(CHARACTERS, k=self._chance.randrange(4)))

    def _float(self) -> float:
        """Any finite double: one of random bits, or one at which its notation changes."""
        (found,) = struct.unpack(">d", self._chance.randbytes(8))
        edge = math.ldexp(self._chance.random() + 1, self._chance.randrange(-40, 90))
        return self._chance.choice(
            [found if math.isfinite(found) else 0.0, edge, -0.0, 1e21, 1e-7, 1e16, 1e22]
        )


def test_both_write_the_same_for_a_thousand_random_values() -> None:
    values = RandomJson(8785, lambda chance: chance.randint(-MAX_SAFE, MAX_SAFE))
    made = [values.value() for _ in range(VALUES)]
    texts = [msgspec.json.encode(value).decode() for value in made]
    assert written_by_javascript(texts) == [jcs_json(msgspec.Raw(text.encode())).decode() for text in texts]


def test_a_question_with_an_integer_that_javascript_would_round_has_no_prefix() -> None:
    chance = random.Random(53)
    for _ in range(VALUES):
        large = chance.choice([-1, 1]) * chance.randint(MAX_SAFE + 1, 2**63 - 1)
        evidence = [RandomJson(chance.randrange(2**32), lambda _: 0).value(), {"id": large}]
        content = QuestionContent(
            title="Which id?",
            answer_schema=msgspec.Raw(b"{}"),
            options=msgspec.Raw(b"null"),
            evidence=msgspec.Raw(msgspec.json.encode(evidence)),
        )
        assert content.digest == content.text_digest
        assert not content.matches(f"{JCS_PREFIX}{content.text_digest}")
