"""Cases 64 to 78: keys and algorithms."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.signatures import Algorithm, JwksSource, LoadedKey, Signer, write_key_file
from signalbox_webhook_receiver.keys import SenderKeys
from support.assertions.receiver_cases import BODY, by_hand, case, is_problem, is_refused, post, signed
from support.drivers.signed_requests import ONE, URL, new_private_key, private_pem, public_pem, signer_and_key
from support.fakes.receiver import NOW, Bench, FakeKeys, new_bench

ASYMMETRIC = (Algorithm.ED25519, Algorithm.ECDSA_P256, Algorithm.RSA_PSS)
ADDRESS = "https://keys.example.com/.well-known/http-message-signatures-directory"


@pytest.fixture
def bench() -> Bench:
    return new_bench()


@pytest.mark.parametrize(
    "keyid",
    [
        case(64, "unknown-key", "key-9"),
        case(65, "path", "../../etc/passwd"),
        case(65, "address", "https://evil/keys"),
    ],
)
async def test_an_unknown_key_looks_like_a_wrong_signature(bench: Bench, keyid: str) -> None:
    unknown = await post(bench, by_hand(bench, keyid=f'"{keyid}"'))
    wrong = await post(bench, by_hand(bench) | {"signature": "signalbox=:AAAA:"})
    await is_refused(bench, unknown, 401, "invalid_signature")
    assert (unknown.content, dict(unknown.headers)) == (wrong.content, dict(wrong.headers))


@pytest.mark.parametrize(
    ("keyid", "status", "code"),
    [
        case(65, "10-kb", "k" * 10_000, 431, "headers_too_large"),
        case(65, "129-characters", "k" * 129, 400, "signature_malformed"),
        case(65, "space", "a b", 400, "signature_malformed"),
        case(65, "empty", "", 400, "signature_malformed"),
    ],
)
async def test_a_keyid_beyond_the_profile_is_refused(
    bench: Bench, keyid: str, status: int, code: str
) -> None:
    await is_refused(bench, await post(bench, by_hand(bench, keyid=f'"{keyid}"')), status, code)


@pytest.mark.parametrize("byte", [case(65, "nul", b"\x00")])
async def test_a_keyid_with_a_control_character_is_refused(bench: Bench, byte: bytes) -> None:
    headers = [
        (name.encode(), value.encode().replace(b"key-1", b"key" + byte))
        for name, value in by_hand(bench).items()
    ]
    await is_refused(
        bench,
        await bench.client.post("/v1/events", content=BODY, headers=headers),
        400,
        "signature_malformed",
    )


@pytest.mark.parametrize(
    "alg",
    [case(66, alg, alg) for alg in ("hmac-sha256", "ecdsa-p256-sha256", "rsa-pss-sha512", "none", "ED25519")],
)
async def test_another_algorithm_than_the_keys_is_refused(bench: Bench, alg: str) -> None:
    await is_refused(bench, await post(bench, by_hand(bench, alg=f'"{alg}"')), 401, "invalid_signature")


@pytest.mark.parametrize("algorithm", [case(67, algorithm, algorithm) for algorithm in ASYMMETRIC])
@pytest.mark.parametrize("said", [Algorithm.HMAC, None])
async def test_an_hmac_with_a_public_key_as_secret_is_refused(
    algorithm: Algorithm, said: Algorithm | None
) -> None:
    private = new_private_key(algorithm)
    _, key = signer_and_key(algorithm, "key-2", private=private, clock=NOW.timestamp)
    bench = new_bench(key)
    for secret in (public_pem(private).encode(), public_pem(private).strip().encode()):
        bench.signer = Signer("key-2", Algorithm.HMAC, secret, clock=NOW.timestamp)
        headers = by_hand(bench, keyid='"key-2"', alg=f'"{said or algorithm}"')
        await is_refused(bench, await post(bench, headers), 401, "invalid_signature")


class Odd:
    """A signer that signs a base in a way of its own."""

    def __init__(self, sign: object) -> None:
        self.sign_base = sign


def rsa_v1_5(key: rsa.RSAPrivateKey, base: bytes) -> bytes:
    return key.sign(base, padding.PKCS1v15(), hashes.SHA256())


def longest_salt(key: rsa.RSAPrivateKey, base: bytes) -> bytes:
    return key.sign(base, padding.PSS(padding.MGF1(hashes.SHA512()), padding.PSS.MAX_LENGTH), hashes.SHA512())


def der(key: ec.EllipticCurvePrivateKey, base: bytes) -> bytes:
    return key.sign(base, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("algorithm", "sign", "said"),
    [
        case(68, "rsa-v1_5-said", Algorithm.RSA_PSS, rsa_v1_5, "rsa-v1_5-sha256"),
        case(68, "rsa-v1_5-hidden", Algorithm.RSA_PSS, rsa_v1_5, "rsa-pss-sha512"),
        case(69, "longest-salt", Algorithm.RSA_PSS, longest_salt, "rsa-pss-sha512"),
        case(70, "der", Algorithm.ECDSA_P256, der, "ecdsa-p256-sha256"),
    ],
)
async def test_the_right_key_in_another_scheme_is_refused(
    algorithm: Algorithm, sign: Callable[..., bytes], said: str
) -> None:
    private = new_private_key(algorithm)
    _, key = signer_and_key(algorithm, "key-2", private=private)
    bench = new_bench(key)
    bench.signer = cast(Signer, Odd(lambda base: sign(private, base)))
    await is_refused(
        bench, await post(bench, by_hand(bench, keyid='"key-2"', alg=f'"{said}"')), 401, "invalid_signature"
    )


@pytest.mark.parametrize(
    "record",
    [
        case(71, "not-yet", {"not_before": NOW + timedelta(minutes=1)}),
        case(71, "no-more", {"not_after": NOW}),
        case(71, "revoked", {"state": "revoked"}),
    ],
)
async def test_a_key_that_does_not_count_now_is_refused(record: dict[str, object]) -> None:
    bench = new_bench(record=record)
    await is_refused(bench, await post(bench, signed(bench)), 401, "invalid_signature")


@pytest.mark.parametrize("overlap", [case(72, "rotation", timedelta(hours=24))])
async def test_both_keys_of_a_rotation_count_during_the_overlap(overlap: timedelta) -> None:
    new, key = signer_and_key(keyid="key-2", not_before=NOW, clock=NOW.timestamp)
    bench = new_bench(key, record={"not_after": NOW + overlap})
    for signer, body in ((bench.signer, BODY), (new, BODY)):
        assert (await bench.post(body, signer=signer)).status_code in (202, 200)


@pytest.mark.parametrize("how", [case(73, "removed", "removed"), case(73, "replaced", "replaced")])
async def test_a_key_that_left_the_file_is_refused_after_the_next_look(tmp_path: Path, how: str) -> None:
    signer, key = signer_and_key(clock=NOW.timestamp)
    _, other = signer_and_key(keyid="key-1" if how == "replaced" else "key-2")
    write_key_file(tmp_path / "keys.json", [key.record])
    ring = SenderKeys(tmp_path / "keys.json", fetch=Web())
    bench = new_bench(source=ring)
    bench.signer = signer
    write_key_file(tmp_path / "keys.json", [other.record])
    assert ring.reload()
    await is_refused(bench, await post(bench, signed(bench)), 401, "invalid_signature")


PRIVATE = private_pem(new_private_key(Algorithm.ED25519)).decode()
PUBLIC = {algorithm: public_pem(new_private_key(algorithm)) for algorithm in ASYMMETRIC}
P384 = public_pem(ec.generate_private_key(ec.SECP384R1()))
RSA_1024 = public_pem(rsa.generate_private_key(65537, 1024))
GOOD = {"keyid": "a", "alg": "ed25519", "sender": "s", "tenant": "*", "public_pem": PUBLIC[Algorithm.ED25519]}
BAD_FILES = [
    case(
        74,
        "empty-secret",
        [{"alg": "hmac-sha256", "public_pem": None, "secret_file": "empty"}],
        "at least 32",
    ),
    case(
        74,
        "short-secret",
        [{"alg": "hmac-sha256", "public_pem": None, "secret_file": "short"}],
        "at least 32",
    ),
    case(74, "rsa-1024", [{"alg": "rsa-pss-sha512", "public_pem": RSA_1024}], "1024 bits"),
    case(74, "another-curve", [{"alg": "ecdsa-p256-sha256", "public_pem": P384}], "not a key for"),
    case(
        74, "another-type", [{"alg": "ed25519", "public_pem": PUBLIC[Algorithm.ECDSA_P256]}], "not a key for"
    ),
    case(74, "private-key", [{"public_pem": PRIVATE}], "private key"),
    case(74, "keyid-twice", [{}, {}], "twice"),
]


@pytest.mark.parametrize(("changes", "says"), BAD_FILES)
async def test_a_bad_key_stops_the_start_and_a_bad_reload_keeps_the_old_keys(
    tmp_path: Path, changes: list[dict[str, object]], says: str
) -> None:
    signer, key = signer_and_key(clock=NOW.timestamp)
    path, failures = tmp_path / "keys.json", []
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short").write_bytes(b"x" * 31)
    bad = json.dumps(
        {
            "keys": [
                {name: value for name, value in (GOOD | change).items() if value is not None}
                for change in changes
            ]
        }
    )
    path.write_text(bad)
    with pytest.raises(InvalidInput, match=says):
        SenderKeys(path, fetch=Web())
    write_key_file(path, [key.record])
    ring = SenderKeys(path, fetch=Web(), on_failure=lambda: failures.append(1))
    path.write_text(bad)
    assert not ring.reload()
    assert failures == [1]
    bench = new_bench(source=ring)
    bench.signer = signer
    assert (await post(bench, signed(bench))).status_code == 202


@pytest.mark.parametrize(
    ("record", "code"),
    [
        case(75, "event-type", {"events": ("step.*",)}, "event_type_forbidden"),
        case(76, "tenant", {"tenant": "other"}, "tenant_forbidden"),
        case(76, "source", {"sources": ("/billing/*",)}, "source_forbidden"),
    ],
)
async def test_a_good_key_without_the_permission_is_refused(record: dict[str, object], code: str) -> None:
    bench = new_bench(record=record)
    await is_refused(bench, await post(bench, signed(bench)), 403, code)


class Web:
    """The addresses of keys: what is at each, and how often it was asked."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = pages
        self.asked = 0

    async def __call__(self, url: str) -> bytes:
        self.asked += 1
        if url not in self.pages:
            raise Unavailable(f"{url} does not answer")
        return self.pages[url]


def published(*keys: tuple[str, ed25519.Ed25519PrivateKey]) -> bytes:
    def jwk(kid: str, key: ed25519.Ed25519PrivateKey) -> dict[str, str]:
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": kid,
            "x": urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("="),
        }

    return json.dumps({"keys": [jwk(*each) for each in keys]}).encode()


def ring_of(tmp_path: Path, web: Web, *keys: LoadedKey) -> SenderKeys:
    source = JwksSource(url=ADDRESS, sender="billing", tenant="acme")
    write_key_file(tmp_path / "keys.json", [key.record for key in keys], [source])
    return SenderKeys(tmp_path / "keys.json", fetch=web)


@pytest.mark.parametrize("state", [case(77, "cached", "cached"), case(77, "cold", "cold")])
async def test_an_unavailable_address_costs_only_what_was_never_fetched(tmp_path: Path, state: str) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    web = Web(**({ADDRESS: published(("pub-1", private))} if state == "cached" else {}))
    ring = ring_of(tmp_path, web)
    await ring.refresh()
    web.pages.clear()
    bench = new_bench(source=ring)
    signer = Signer("pub-1", Algorithm.ED25519, private, clock=NOW.timestamp)
    answer = await bench.client.post("/v1/events", content=BODY, headers=signer.sign("POST", URL, BODY, ONE))
    if state == "cached":
        assert answer.status_code == 202
    else:
        await is_refused(bench, answer, 503, "keys_unavailable")


@pytest.mark.parametrize("requests", [case(78, "unknown-keys", 200)])
async def test_a_flood_of_unknown_keys_asks_the_address_once(tmp_path: Path, requests: int) -> None:
    web = Web(**{ADDRESS: published(("pub-1", ed25519.Ed25519PrivateKey.generate()))})
    bench = new_bench(source=ring_of(tmp_path, web))
    for number in range(requests):
        is_problem(await post(bench, by_hand(bench, keyid=f'"unknown-{number}"')), 401, "invalid_signature")
    assert web.asked == 1


async def test_a_bench_knows_its_key(bench: Bench) -> None:
    assert isinstance(bench.parts.keys, FakeKeys)
    assert (await post(bench, signed(bench))).status_code == 202
