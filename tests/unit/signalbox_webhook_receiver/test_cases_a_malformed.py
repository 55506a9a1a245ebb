"""Cases 1 to 18: signature fields that are missing or malformed."""

import pytest

from signalbox_core.signatures import LoadedKey
from support.assertions.receiver_cases import BODY, Change, Headers, by_hand, case, is_refused, post, signed
from support.fakes.receiver import Bench, FakeKeys, new_bench

COVERED = '("@method" "@target-uri" "content-digest" "content-type")'


@pytest.fixture
def bench() -> Bench:
    return new_bench()


def without(*names: str) -> Change:
    return lambda headers: {name: value for name, value in headers.items() if name not in names}


def put(name: str, value: str) -> Change:
    """`*` in the value stands for what the field was."""
    return lambda headers: headers | {name: value.replace("*", headers[name])}


def swap(name: str, old: str, new: str) -> Change:
    def change(headers: Headers) -> Headers:
        assert old in headers[name]
        return headers | {name: headers[name].replace(old, new)}

    return change


def both(first: Change, second: Change) -> Change:
    return lambda headers: second(first(headers))


MANY_LABELS = ", ".join(f'l{n}=();tag="x"' for n in range(50))
MANY_VALUES = ", ".join(f"l{n}=:AAAA:" for n in range(50))
MANY_COMPONENTS = " ".join('"@method"' for _ in range(200))
REFUSED = [
    case(1, "no-signature", without("signature", "signature-input"), 401, "signature_required"),
    case(2, "only-signature-input", without("signature"), 401, "signature_required"),
    case(3, "only-signature", without("signature-input"), 401, "signature_required"),
    case(4, "signature-input-unparsable", put("signature-input", "((("), 400, "signature_malformed"),
    case(5, "signature-unparsable", put("signature", "signalbox=:::"), 400, "signature_malformed"),
    case(6, "signature-is-a-token", put("signature", "signalbox=token"), 400, "signature_malformed"),
    case(6, "signature-is-a-string", put("signature", 'signalbox="text"'), 400, "signature_malformed"),
    case(6, "signature-is-a-list", put("signature", "signalbox=(1 2)"), 400, "signature_malformed"),
    case(
        7,
        "signature-input-is-no-list",
        put("signature-input", 'signalbox=1;tag="signalbox-event"'),
        400,
        "signature_malformed",
    ),
    case(8, "labels-differ", swap("signature", "signalbox=", "other="), 400, "signature_malformed"),
    case(9, "label-twice-in-one-line", put("signature-input", "*, *"), 400, "signature_malformed"),
    case(9, "value-twice-in-one-line", put("signature", "*, *"), 400, "signature_malformed"),
    case(
        10,
        "no-signature-with-our-tag",
        swap("signature-input", "signalbox-event", "another"),
        401,
        "signature_required",
    ),
    case(
        11,
        "two-signatures-with-our-tag",
        both(
            put("signature-input", f'*, b={COVERED};tag="signalbox-event"'), put("signature", "*, b=:AAAA:")
        ),
        400,
        "signature_malformed",
    ),
    case(13, "unknown-parameter", put("signature-input", "*;foo=1"), 400, "signature_malformed"),
    case(16, "signature-input-of-5-kib", put("signature-input", "a" * 5120), 431, "headers_too_large"),
    case(16, "signature-input-of-1-mib", put("signature-input", "a" * 1024 * 1024), 431, "headers_too_large"),
    case(
        17,
        "50-labels",
        both(put("signature-input", MANY_LABELS), put("signature", MANY_VALUES)),
        400,
        "signature_malformed",
    ),
    case(
        17,
        "200-components",
        swap("signature-input", COVERED, f"({MANY_COMPONENTS})"),
        400,
        "signature_malformed",
    ),
    *(
        case(18, name, swap("signature-input", '"content-type")', f"{component})"), status, code)
        for name, component, status, code in (
            ("another-header", '"x-foo"', 400, "signature_malformed"),
            ("query-param", '"@query-param";name="a"', 400, "signature_malformed"),
            ("key-of-a-dictionary", '"content-digest";key="sha-256"', 401, "insufficient_coverage"),
            ("of-the-request", '"@method";req', 401, "insufficient_coverage"),
            ("bytes", '"content-type";bs', 401, "insufficient_coverage"),
            ("structured", '"content-type";sf', 401, "insufficient_coverage"),
            ("trailer", '"content-type";tr', 401, "insufficient_coverage"),
        )
    ),
]


@pytest.mark.parametrize(("change", "status", "code"), REFUSED)
async def test_a_malformed_signature_is_refused(bench: Bench, change: Change, status: int, code: str) -> None:
    await is_refused(bench, await post(bench, change(signed(bench))), status, code)


@pytest.mark.parametrize(
    "name",
    [
        case(9, "signature-input-in-two-lines", "signature-input"),
        case(9, "signature-in-two-lines", "signature"),
    ],
)
async def test_a_label_twice_over_two_lines_is_refused(bench: Bench, name: str) -> None:
    headers = signed(bench)
    await is_refused(
        bench, await post(bench, [*headers.items(), (name, headers[name])]), 400, "signature_malformed"
    )


@pytest.mark.parametrize(
    "junk", [case(12, "bytes", ":AAAA:"), case(12, "token", "junk"), case(12, "number", "1")]
)
async def test_a_signature_with_another_tag_does_not_break_a_good_one(bench: Bench, junk: str) -> None:
    headers = signed(bench)
    headers["signature-input"] = (
        f'proxy=("@method" "x-forwarded-for");created=1;tag="proxy", {headers["signature-input"]}'
    )
    headers["signature"] = f"proxy={junk}, {headers['signature']}"
    assert (await post(bench, headers)).status_code == 202
    assert len(bench.published) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        case(14, "created-is-a-decimal", {"created": "1.5"}),
        case(14, "created-is-a-string", {"created": '"1"'}),
        case(14, "created-is-a-boolean", {"created": "?1"}),
        case(15, "keyid-is-a-token", {"keyid": "key-1"}),
        case(15, "keyid-is-a-number", {"keyid": "1"}),
    ],
)
async def test_a_parameter_of_another_type_is_refused_although_it_was_signed(
    bench: Bench, overrides: dict[str, str]
) -> None:
    await is_refused(bench, await post(bench, by_hand(bench, **overrides)), 400, "signature_malformed")


class SpiedKeys(FakeKeys):
    """Keys that note what was looked for."""

    def __init__(self, keys: tuple[LoadedKey, ...] = ()) -> None:
        super().__init__(keys)
        self.asked: list[str] = []

    def get(self, keyid: str) -> LoadedKey | None:
        self.asked.append(keyid)
        return super().get(keyid)


@pytest.mark.parametrize(
    "fields", [case(17, "labels", MANY_LABELS), case(17, "components", f"signalbox=({MANY_COMPONENTS})")]
)
async def test_no_key_is_looked_for_before_the_fields_are_in_order(fields: str) -> None:
    keys = SpiedKeys()
    bench = new_bench(source=keys)
    await post(bench, signed(bench) | {"signature-input": fields}, body=BODY)
    assert not keys.asked
