"""The vectors of RFC 9421 (appendix B, §2.2.2) and RFC 9530 (appendix B) that apply to the profile."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from signalbox_core.errors import InvalidSignature
from signalbox_core.signatures import (
    Algorithm,
    KeyRecord,
    LoadedKey,
    check_digest,
    content_digest,
    load_key,
    target_uri,
)
from signalbox_core.signatures.keys import IMPLEMENTATIONS
from signalbox_core.signatures.verification import is_signed

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "rfc9421_vectors.json").read_text()
)
SIGNATURES = [
    pytest.param(vector, id=f"{vector['section']}-{vector['id']}") for vector in VECTORS["signatures"]
]
DIGESTS = [pytest.param(vector, id=vector["id"]) for vector in VECTORS["digests"]]


def key_of(vector: dict[str, str]) -> LoadedKey:
    material = VECTORS["keys"][vector["key_id"]]
    algorithm = Algorithm(vector["algorithm"])
    source = {"secret_file": "s"} if algorithm is Algorithm.HMAC else {"public_pem": material["public_pem"]}
    record = KeyRecord(keyid=vector["key_id"], alg=algorithm, sender="rfc", tenant="*", **source)
    return load_key(record, lambda _name: b64decode(material["secret_b64"]))


def verifies(vector: dict[str, str], base: str) -> bool:
    return is_signed(base, b64decode(vector["signature"]), key_of(vector))


@pytest.mark.parametrize("vector", SIGNATURES)
def test_a_bound_key_agrees_with_the_signature_of_the_rfc(vector: dict[str, str]) -> None:
    assert verifies(vector, vector["base"]) == (vector["expect"] == "valid")


@pytest.mark.parametrize("vector", SIGNATURES)
def test_one_more_character_in_the_base_breaks_the_signature_of_the_rfc(vector: dict[str, str]) -> None:
    assert not verifies(vector, vector["base"] + " ")


def test_ed25519_signs_the_base_of_appendix_b_2_6_to_the_same_bytes() -> None:
    [vector] = [vector for vector in VECTORS["signatures"] if vector["id"] == "b26"]
    private = VECTORS["keys"]["test-key-ed25519"]["private_pem"].encode()
    assert IMPLEMENTATIONS[Algorithm.ED25519](private_key=private).sign(vector["base"].encode()) == b64decode(
        vector["signature"]
    )


@pytest.mark.parametrize("vector", DIGESTS)
def test_a_digest_of_the_rfc_is_judged_as_the_rfc_says(vector: dict[str, str]) -> None:
    body = b64decode(vector["body_b64"])
    if vector["expect"] == "valid":
        check_digest(vector["field"], body)
    else:
        with pytest.raises(InvalidSignature) as caught:
            check_digest(vector["field"], body)
        assert caught.value.stable_code == "digest_mismatched"


@pytest.mark.parametrize(
    "vector", [vector for vector in DIGESTS if vector.id in ("d-256-9421", "d-9530-full", "d-9530-empty")]
)
def test_the_digest_we_write_is_that_of_the_rfc(vector: dict[str, str]) -> None:
    assert content_digest(b64decode(vector["body_b64"])) == vector["field"]


def test_the_target_uri_is_that_of_section_2_2_2() -> None:
    assert [target_uri(vector["url"]) for vector in VECTORS["target_uri"]] == [
        vector["value"] for vector in VECTORS["target_uri"]
    ]
