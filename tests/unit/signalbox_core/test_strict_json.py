"""A repeated member of a JSON body is found, at any depth, and its path is named."""

import pytest

from signalbox_core.http.strict_json import NumberOutOfRangeError, find_repeated_member


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"a":1,"a":2}', "a"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"input":{"url":"x","url":"y"}}', "input.url"),
        (b'{"input":{"items":[{"id":1},{"id":1,"id":1}]}}', "input.items[1].id"),
        (b'[[{"a":null,"a":null}]]', "[0][0].a"),
        (b'{"":1,"":2}', ""),
        (b'{"\\ud800":1,"\\ud800":2}', "?"),
        (b'{"a":{"b":1},"b":{"a":1},"c":[{"a":1},{"a":1}]}', None),
        (b'{"n":[-' + b"9" * 300 + b",1.7e308,1e-999]}", None),
        (b'"text"', None),
        (b"{}", None),
    ],
)
def test_the_path_of_a_repeated_member_is_found(body: bytes, path: str | None) -> None:
    assert find_repeated_member(body) == path


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":NaN}', b"\xff", b'\xef\xbb\xbf{"a":1}'])
def test_what_is_not_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        find_repeated_member(body)


@pytest.mark.parametrize("number", ["1e999", "-1.5E+400", "9" * 310, "9" * 5_000], ids=lambda text: text[:9])
def test_a_number_beyond_a_double_is_an_error(number: str) -> None:
    with pytest.raises(NumberOutOfRangeError, match="is out of range"):
        find_repeated_member(f'{{"a":[{{"n":{number}}}]}}'.encode())


def test_deep_nesting_is_an_error_and_long_paths_are_cut() -> None:
    with pytest.raises(RecursionError):
        find_repeated_member(b"[" * 100_000 + b"]" * 100_000)
    name = b"n" * 1_000
    assert find_repeated_member(b'{"' + name + b'":{"a":1,"a":1}}') == "n" * 200
