"""A bounded dict drops what was set longest ago."""

from signalbox_core.bounded_dict import BoundedDict


def test_the_oldest_entry_is_dropped() -> None:
    known = BoundedDict[str, int](2)
    for number, key in enumerate("abc"):
        known[key] = number
    assert dict(known) == {"b": 1, "c": 2}


def test_setting_a_key_again_drops_nothing_and_makes_it_the_newest() -> None:
    known = BoundedDict[str, int](2)
    known["a"], known["b"], known["a"] = 1, 2, 3
    assert dict(known) == {"b": 2, "a": 3}
    known["c"] = 4
    assert dict(known) == {"a": 3, "c": 4}


def test_update_keeps_the_bound() -> None:
    known = BoundedDict[str, None](2)
    known.update(dict.fromkeys("abc"))
    assert list(known) == ["b", "c"]
