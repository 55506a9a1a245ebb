"""Captcha and solver, session tokens, faults, and call statistics."""

import random

import pytest

from signalbox_devstack.emulators.portal import captcha, tokens
from signalbox_devstack.emulators.portal.faults import PortalFault, PortalFaults
from signalbox_devstack.emulators.portal.glyphs import ALPHABET
from signalbox_devstack.emulators.portal.rows import number_text
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_devstack.emulators.portal.stats import PortalStats, most_within

KEY = b"k" * 64
CLAIMS = tokens.SessionClaims(sub="9901000019", type=2, exp=2_000_000_000, iat=1_900_000_000, jti="a")


def test_the_solver_reads_every_character() -> None:
    dice = random.Random(1)
    for text in [*(character * 6 for character in ALPHABET), *(captcha.new_text(dice) for _ in range(40))]:
        assert solve(captcha.picture(text, dice)) == text


def test_the_order_of_the_paths_does_not_reveal_the_text() -> None:
    dice = random.Random(1)
    pictures = [captcha.picture("ABCDEF", dice).split("<path")[1:] for _ in range(20)]
    assert len({tuple(part[:12] for part in parts) for parts in pictures}) > 1


def test_the_solver_rejects_a_captcha_of_another_portal() -> None:
    with pytest.raises(ValueError, match=r"the simulator's captcha only"):
        solve('<svg><path fill="#111" d="M0 0Q1 1 2 2Q3 3 4 4Z"/></svg>')


def test_a_token_signed_with_another_key_is_rejected() -> None:
    token = tokens.issue(CLAIMS, KEY)
    assert tokens.read(token, KEY) == CLAIMS
    assert tokens.read(token, b"x" * 64) is None
    assert tokens.read(token[:-4] + "AAAA", KEY) is None
    assert tokens.read("nonsense", KEY) is None


def test_a_token_has_the_three_parts_of_a_jwt_signed_with_hs512() -> None:
    head, _, mac = tokens.issue(CLAIMS, KEY).split(".")
    assert head == "eyJhbGciOiJIUzUxMiJ9"
    assert len(mac) == 86


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        pytest.param(PortalFault(kind="waf"), "xxxxxx", id="always"),
        pytest.param(PortalFault(kind="waf", times=2), "xx....", id="twice"),
        pytest.param(PortalFault(kind="waf", after=3, times=1), "...x..", id="once, later"),
        pytest.param(PortalFault(kind="waf", every=3), "x..x..", id="every third"),
        pytest.param(PortalFault(kind="waf", on=("xml",)), "......", id="of another kind"),
        pytest.param(PortalFault(kind="rate_limit", per_s=1, burst=2), "..xxxx", id="faster than allowed"),
    ],
)
def test_a_fault_affects_the_selected_calls_only(fault: PortalFault, hit: str) -> None:
    faults = PortalFaults()
    faults.put("a", [fault])
    assert (
        "".join("x" if faults.next_fault("a", "list", now_s=10 + call / 10) else "." for call in range(6))
        == hit
    )


def test_wildcard_faults_do_not_apply_to_a_taxpayer_with_own_faults() -> None:
    faults = PortalFaults()
    faults.put("*", [PortalFault(kind="waf")])
    faults.put("a", [PortalFault(kind="fast_500")])
    kinds = [fault.kind for mst in ("a", "b") if (fault := faults.next_fault(mst, "list", 0.0))]
    assert kinds == ["fast_500", "waf"]


def test_random_faults_are_deterministic() -> None:
    def drawn() -> list[bool]:
        faults = PortalFaults()
        faults.put("a", [PortalFault(kind="waf", share=0.5)])
        return [faults.next_fault("a", "list", 0.0) is not None for _ in range(50)]

    assert drawn() == drawn()
    assert 10 < sum(drawn()) < 40


def test_calls_are_counted_by_taxpayer_and_kind() -> None:
    stats = PortalStats()
    for at in (0.0, 0.5, 1.2):
        stats.started("a", "list", at)
    stats.started("a", "xml", 1.3)
    stats.ended("a", "list", "200")
    lanes = stats.seen("a")["a"]["lanes"]
    assert (lanes["list"]["most_in_flight"], lanes["list"]["in_flight"], lanes["list"]["least_gap_ms"]) == (
        3,
        2,
        500.0,
    )
    assert (lanes["all"]["most_in_flight"], lanes["all"]["least_gap_ms"]) == (4, 100.0)


def test_the_busiest_window_is_found() -> None:
    assert most_within([0, 0.9, 1.1, 1.8, 5], 1) == 3
    assert most_within([], 1) == 0


@pytest.mark.parametrize(
    ("amount", "text"), [(14_727_778, b"1.4727778E7"), (-20_000_000, b"-2.0E7"), (0, b"0.0E0")]
)
def test_a_large_number_is_written_in_exponent_notation(amount: int, text: bytes) -> None:
    assert number_text(amount) == text
    assert float(text) == amount
