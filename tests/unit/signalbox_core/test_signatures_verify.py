"""Signing and verifying in the profile: what verifies, what is refused, and with which code."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
)

from signalbox_core.errors import InvalidSignature
from signalbox_core.signatures import (
    Algorithm,
    LoadedKey,
    SignedMessage,
    Signer,
    check_digest,
    check_window,
    content_digest,
    profile,
    read_claim,
    verify,
)
from support.drivers.signed_requests import (
    ONE,
    URL,
    new_private_key,
    parameters_at,
    sign_by_hand,
    signer_and_key,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = int(NOW.timestamp())
BODY = b'{"hello": "world"}'
ALGORITHMS = [pytest.param(algorithm, id=algorithm.value) for algorithm in Algorithm]


def message_of(headers: dict[str, str], **changes: str) -> SignedMessage:
    fields = {
        "method": "POST",
        "target_uri": URL,
        "content_digest": headers["Content-Digest"],
        "content_type": headers["Content-Type"],
    }
    return SignedMessage(**(fields | changes))


def check(headers: dict[str, str], key: LoadedKey, *, now: datetime = NOW, **changes: str) -> None:
    claim = read_claim(headers["Signature-Input"], headers["Signature"])
    check_window(claim, now)
    verify(message_of(headers, **changes), claim, key)


def code_of(headers: dict[str, str], key: LoadedKey, **changes: str) -> str:
    with pytest.raises(InvalidSignature) as caught:
        check(headers, key, **changes)
    return caught.value.stable_code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_the_signer_signs_verifies(algorithm: Algorithm) -> None:
    signer, key = signer_and_key(algorithm)
    headers = signer.sign("POST", URL, BODY, ONE)
    check(headers, key, now=datetime.now(UTC))
    check_digest(headers["Content-Digest"], BODY)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_library_alone_verifies_what_the_signer_signs(algorithm: Algorithm) -> None:
    signer, key = signer_and_key(algorithm)
    headers = signer.sign("POST", URL, BODY, ONE)
    resolver = MappingKeyResolver(public_keys={"key-1": key.material}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=key.implementation, key_resolver=resolver)
    message = SimpleNamespace(method="POST", url=URL, headers=headers)
    [result] = verifier.verify(message, expect_tag=profile.TAG, require_components=profile.COVERED, body=BODY)
    assert result.parameters["keyid"] == "key-1"


def test_what_the_library_signs_in_the_profile_verifies() -> None:
    private = new_private_key(Algorithm.ED25519)
    _, key = signer_and_key(private=private)
    signer = HTTPMessageSigner(
        signature_algorithm=key.implementation,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={"key-1": private}),
    )
    headers = {"Content-Type": ONE, "Content-Digest": content_digest(BODY)}
    signer.sign(
        SimpleNamespace(method="POST", url=URL, headers=headers),
        key_id="key-1",
        created=NOW,
        expires=datetime.fromtimestamp(SECOND + 60, UTC),
        nonce="0123456789abcdef",
        tag=profile.TAG,
        covered_component_ids=profile.COVERED,
        use_existing_digest=True,
    )
    check(headers, key)


def test_every_call_of_the_signer_has_a_nonce_of_its_own() -> None:
    signer, _ = signer_and_key()
    nonces = {
        read_claim(h["Signature-Input"], h["Signature"]).nonce
        for h in (signer.sign("POST", URL, BODY, ONE) for _ in range(20))
    }
    assert len(nonces) == 20


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"method": "PUT"}, id="method"),
        pytest.param({"target_uri": URL + "?a=1"}, id="query"),
        pytest.param({"target_uri": URL.replace("events", "%65vents")}, id="percent-encoding"),
        pytest.param({"target_uri": URL.replace("http:", "https:")}, id="scheme"),
        pytest.param({"content_digest": content_digest(b"other")}, id="digest"),
        pytest.param({"content_type": "application/json"}, id="content-type"),
    ],
)
def test_a_changed_covered_value_is_refused(changes: dict[str, str]) -> None:
    signer, key = signer_and_key()
    headers = sign_by_hand(signer, BODY, parameters=parameters_at(SECOND))
    check(headers, key)
    assert code_of(headers, key, **changes) == "invalid_signature"


@pytest.mark.parametrize("name", profile.COVERED)
def test_a_signature_that_leaves_a_component_out_is_refused(name: str) -> None:
    signer, key = signer_and_key()
    rest = [f'"{other}"' for other in profile.COVERED if other != name]
    assert (
        code_of(sign_by_hand(signer, BODY, components=rest, parameters=parameters_at(SECOND)), key)
        == "insufficient_coverage"
    )


@pytest.mark.parametrize(
    "component",
    [
        '"x-foo"',
        '"@query-param";name="a"',
        '"@method"',
        '"@Method"',
    ],
)
def test_a_further_component_is_malformed(component: str) -> None:
    signer, key = signer_and_key()
    components = [*(f'"{name}"' for name in profile.COVERED), component]
    values = {"x-foo": "1", "@query-param": "1", "@Method": "POST"}
    headers = sign_by_hand(
        signer, BODY, components=components, parameters=parameters_at(SECOND), values=values
    )
    assert code_of(headers, key) == "signature_malformed"


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        *(
            pytest.param({name: None}, "signature_incomplete", id=f"no-{name}")
            for name in profile.PARAMETERS
            if name != "tag"
        ),
        pytest.param({"tag": None}, "signature_required", id="no-tag"),
        pytest.param({"tag": '"other"'}, "signature_required", id="another-tag"),
        pytest.param({"tag": profile.TAG}, "signature_malformed", id="tag-is-a-token"),
        pytest.param({"foo": "1"}, "signature_malformed", id="unknown-parameter"),
        pytest.param({"created": "1.5"}, "signature_malformed", id="created-decimal"),
        pytest.param({"created": '"1"'}, "signature_malformed", id="created-string"),
        pytest.param({"created": "?1"}, "signature_malformed", id="created-boolean"),
        pytest.param({"created": "@1"}, "signature_malformed", id="created-date"),
        pytest.param({"created": "-1"}, "signature_malformed", id="created-negative"),
        pytest.param(
            {"created": "100000000000000"}, "signature_malformed", id="created-in-the-year-3-million"
        ),
        pytest.param({"created": "0"}, "signature_lifetime", id="created-1970"),
        pytest.param({"keyid": "key"}, "signature_malformed", id="keyid-token"),
        pytest.param({"keyid": "1"}, "signature_malformed", id="keyid-number"),
        pytest.param({"keyid": f'"{"k" * 129}"'}, "signature_malformed", id="keyid-too-long"),
        pytest.param({"nonce": '""'}, "signature_malformed", id="nonce-empty"),
        pytest.param({"nonce": f'"{"n" * 15}"'}, "signature_malformed", id="nonce-15"),
        pytest.param({"nonce": f'"{"n" * 129}"'}, "signature_malformed", id="nonce-129"),
        pytest.param({"nonce": r'"0123456789abcde\"f"'}, "signature_malformed", id="nonce-with-a-quote"),
        pytest.param({"expires": str(SECOND + 301)}, "signature_lifetime", id="expires-301-s-later"),
        pytest.param(
            {"expires": str(SECOND + 10 * 365 * 86400)}, "signature_lifetime", id="expires-in-10-years"
        ),
        pytest.param({"expires": str(SECOND)}, "signature_lifetime", id="expires-at-once"),
        pytest.param({"expires": str(SECOND - 1)}, "signature_lifetime", id="expires-before-created"),
        pytest.param(
            {"created": str(SECOND - 100), "expires": str(SECOND - 6)}, "signature_stale", id="expired"
        ),
        pytest.param(
            {"created": str(SECOND + 60), "expires": str(SECOND + 70)},
            "signature_not_yet_valid",
            id="created-in-a-minute",
        ),
        pytest.param(
            {"created": str(SECOND - 306), "expires": str(SECOND - 6)},
            "signature_stale",
            id="created-306-s-ago",
        ),
        pytest.param({"alg": '"hmac-sha256"'}, "invalid_signature", id="another-algorithm"),
    ],
)
def test_a_signature_with_wrong_parameters_is_refused(overrides: dict[str, str | None], code: str) -> None:
    signer, key = signer_and_key()
    assert code_of(sign_by_hand(signer, BODY, parameters=parameters_at(SECOND, **overrides)), key) == code


@pytest.mark.parametrize(("created", "expires"), [(SECOND - 304, SECOND - 4), (SECOND + 4, SECOND + 304)])
def test_the_edges_of_the_window_are_inside(created: int, expires: int) -> None:
    signer, key = signer_and_key()
    check(sign_by_hand(signer, BODY, parameters=parameters_at(created, expires=str(expires))), key)


@pytest.mark.parametrize(
    ("signature_input", "signature", "code"),
    [
        (None, None, "signature_required"),
        ("sb=()", None, "signature_required"),
        (None, "sb=:AAAA:", "signature_required"),
        ("(((", "sb=:AAAA:", "signature_malformed"),
        ("sb=()", "sb=:AAAA", "signature_malformed"),
        ("", "", "signature_malformed"),
        ("sb=()", "other=:AAAA:", "signature_malformed"),
        ("sb=(), sb=()", "sb=:AAAA:", "signature_malformed"),
        ("sb=1", "sb=:AAAA:", "signature_malformed"),
        (f'sb=();tag="{profile.TAG}"', "sb=token", "signature_malformed"),
        (f'sb=();tag="{profile.TAG}"', "sb=::", "signature_malformed"),
        (f'sb=();tag="{profile.TAG}"', "sb=(:AAAA:)", "signature_malformed"),
        (f'a=();tag="{profile.TAG}", b=();tag="{profile.TAG}"', "a=:AAAA:, b=:AAAA:", "signature_malformed"),
        (f'sb=();tag="{profile.TAG}"', "sb=:AAAA:", "insufficient_coverage"),
        ("sb=é", "sb=:AAAA:", "signature_malformed"),
        (
            ", ".join(f"l{n}=()" for n in range(5)),
            ", ".join(f"l{n}=:AAAA:" for n in range(5)),
            "signature_malformed",
        ),
    ],
)
def test_broken_signature_fields_are_named(
    signature_input: str | None, signature: str | None, code: str
) -> None:
    with pytest.raises(InvalidSignature) as caught:
        read_claim(signature_input, signature)
    assert caught.value.stable_code == code


def test_a_junk_signature_with_another_tag_does_not_disturb_ours() -> None:
    signer, key = signer_and_key()
    headers = sign_by_hand(signer, BODY, parameters=parameters_at(SECOND))
    headers["Signature-Input"] = f'proxy=("x-foo");tag="other";foo=1, {headers["Signature-Input"]}'
    headers["Signature"] = f"proxy=:AAAA:, {headers['Signature']}"
    check(headers, key)


def test_an_hmac_over_a_public_key_is_refused() -> None:
    """The library accepts it when the application takes the algorithm from the request."""
    _, key = signer_and_key(Algorithm.RSA_PSS)
    forger = Signer("key-1", Algorithm.HMAC, (key.record.public_pem or "").encode())
    headers = sign_by_hand(forger, BODY, parameters=parameters_at(SECOND, alg='"hmac-sha256"'))
    assert code_of(headers, key) == "invalid_signature"


def test_another_key_of_the_same_algorithm_is_refused() -> None:
    signer, _ = signer_and_key()
    _, other = signer_and_key()
    assert code_of(sign_by_hand(signer, BODY, parameters=parameters_at(SECOND)), other) == "invalid_signature"


def test_unknown_algorithm_wrong_algorithm_and_wrong_bytes_read_the_same() -> None:
    signer, key = signer_and_key()
    said = set()
    for parameters in (
        parameters_at(SECOND, alg='"none"'),
        parameters_at(SECOND, alg='"ecdsa-p256-sha256"'),
        parameters_at(SECOND),
    ):
        headers = sign_by_hand(signer, b"other", parameters=parameters)
        with pytest.raises(InvalidSignature) as caught:
            check(headers, key, content_digest=content_digest(BODY))
        said.add((caught.value.stable_code, caught.value.detail, caught.value.field))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("md5=:AAAA:", "digest_unsupported"),
        ("sha=:AAAA:, sha-256=:AAAA:", "digest_unsupported"),
        ("sha-256=:AAAA:", "digest_malformed"),
        ("sha-256=abc", "digest_malformed"),
        ("sha-256", "digest_malformed"),
        ("", "digest_malformed"),
        ("é", "digest_malformed"),
        (f"{content_digest(BODY)}, {content_digest(BODY)}", "digest_malformed"),
        (content_digest(b"other"), "digest_mismatched"),
    ],
)
def test_a_wrong_digest_field_is_named(field: str, code: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        check_digest(field, BODY)
    assert caught.value.stable_code == code


@pytest.mark.parametrize(
    "component",
    ['"content-digest";key="sha-256"', '"content-digest";sf', '"content-type";bs', '"@method";req'],
)
def test_a_component_covered_in_part_is_not_covered(component: str) -> None:
    signer, key = signer_and_key()
    components = [*(f'"{name}"' for name in profile.COVERED), component]
    assert (
        code_of(sign_by_hand(signer, BODY, components=components, parameters=parameters_at(SECOND)), key)
        == "insufficient_coverage"
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("spacing", ["{}", "  {}", "{}  "])
@pytest.mark.parametrize("changed", ["", "target_uri", "content_type", "content_digest", "method"])
def test_our_verifier_and_the_librarys_agree(algorithm: Algorithm, spacing: str, changed: str) -> None:
    signer, key = signer_and_key(algorithm)
    headers = signer.sign("POST", URL, BODY, ONE)
    headers["Signature-Input"] = spacing.format(headers["Signature-Input"])
    message = message_of(
        headers, **({changed: "PUT" if changed == "method" else f"{URL}x"} if changed else {})
    )
    claim = read_claim(headers["Signature-Input"], headers["Signature"])
    resolver = MappingKeyResolver(public_keys={"key-1": key.material}, private_keys={})
    theirs = HTTPMessageVerifier(signature_algorithm=key.implementation, key_resolver=resolver)
    received = {**headers, "Content-Digest": message.content_digest, "Content-Type": message.content_type}
    answers = []
    for check_it in (
        lambda: verify(message, claim, key),
        lambda: theirs.verify(
            SimpleNamespace(method=message.method, url=message.target_uri, headers=received),
            expect_tag=profile.TAG,
        ),
    ):
        try:
            check_it()
            answers.append("verifies")
        except (InvalidSignature, HTTPMessageSignaturesException):
            answers.append("refused")
    assert answers == ["refused" if changed else "verifies"] * 2
