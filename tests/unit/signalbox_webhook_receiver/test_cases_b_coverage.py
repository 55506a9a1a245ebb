"""Cases 19 to 24: a good key signed too little."""

import pytest

from signalbox_core.signatures import profile
from support.assertions.receiver_cases import BODY, SECOND, case, is_refused, post
from support.drivers.signed_requests import parameters_at, sign_by_hand
from support.fakes.receiver import Bench, new_bench

QUOTED = tuple(f'"{name}"' for name in profile.COVERED)


@pytest.fixture
def bench() -> Bench:
    return new_bench()


@pytest.mark.parametrize(
    "components",
    [
        case(19, "without-method", QUOTED[1:]),
        case(20, "without-target-uri", (QUOTED[0], *QUOTED[2:])),
        case(21, "without-content-digest", (*QUOTED[:2], QUOTED[3])),
        case(22, "without-content-type", QUOTED[:3]),
        case(23, "nothing-covered", ()),
        case(24, "digest-by-a-key", (*QUOTED[:2], '"content-digest";key="sha-256"', QUOTED[3])),
    ],
)
async def test_a_good_signature_over_too_little_is_refused(bench: Bench, components: tuple[str, ...]) -> None:
    headers = sign_by_hand(bench.signer, BODY, components=components, parameters=parameters_at(SECOND))
    await is_refused(bench, await post(bench, headers), 401, "insufficient_coverage")
