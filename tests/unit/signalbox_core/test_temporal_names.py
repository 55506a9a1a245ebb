"""Temporal names derived from a tenant."""

import pytest

from signalbox_core.temporal.names import fairness_key


@pytest.mark.parametrize("tenant", ["acme", "a" * 64, "é" * 32])
def test_a_short_tenant_is_its_own_fairness_key(tenant: str) -> None:
    assert fairness_key(tenant) == tenant


def test_long_tenants_with_a_common_prefix_have_different_fairness_keys() -> None:
    keys = [fairness_key("a" * 64 + end) for end in ("b", "c", "")] + [fairness_key("é" * 33)]

    assert len(set(keys)) == 4
    assert all(len(key.encode()) <= 64 for key in keys)
