"""The examples of docs/signatures.md run, and what they sign is accepted."""

import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from signalbox_core.signatures import (
    Algorithm,
    SignedMessage,
    check_digest,
    check_window,
    profile,
    read_claim,
    verify,
)
from support.drivers.signed_requests import ONE, URL, new_private_key, signer_and_key, write_private_key

DOC = (Path(__file__).parents[3] / "docs" / "signatures.md").read_text()
BODY = b'{"hello": "world"}'


@pytest.fixture
def names(tmp_path: Path) -> dict[str, Any]:
    """What both examples define."""
    private = new_private_key(Algorithm.ED25519)
    path = write_private_key(tmp_path / "key.pem", private)
    names: dict[str, Any] = {"KEYID": "key-1", "PRIVATE_KEY_FILE": str(path), "private": private}
    examples = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "docs/signatures.md", "exec"), names)
    return names


def accept(headers: dict[str, str], names: dict[str, Any]) -> None:
    _, key = signer_and_key(private=names["private"])
    claim = read_claim(headers["Signature-Input"], headers["Signature"])
    check_window(claim, datetime.now(UTC))
    digest = headers["Content-Digest"]
    verify(SignedMessage(method="POST", target_uri=URL, content_digest=digest, content_type=ONE), claim, key)
    check_digest(digest, BODY)


def test_the_example_with_our_signer_is_accepted(names: dict[str, Any]) -> None:
    client = SimpleNamespace(post=lambda url, **sent: (url, sent))
    url, sent = names["send"](client, URL, BODY)
    assert (url, sent["content"]) == (URL, BODY)
    accept(sent["headers"], names)


def test_the_example_with_the_library_alone_is_accepted(names: dict[str, Any]) -> None:
    request = SimpleNamespace(method="POST", url=URL, headers={"Content-Type": ONE})
    names["sign"](request, BODY)
    accept(request.headers, names)


def test_the_page_names_the_tag_and_the_components_of_the_code() -> None:
    assert f'tag="{profile.TAG}"' in DOC
    assert ", ".join(f"`{name}`" for name in profile.COVERED) in DOC
