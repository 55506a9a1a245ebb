"""Artifact headers: names are preserved, browsers execute nothing, only immutable URLs are cached."""

import pytest

from signalbox_core.events.snapshot import ArtifactState
from signalbox_gateway.api.artifacts import artifact_headers, content_disposition, file_name
from signalbox_gateway.runs.views import artifact_version, artifact_view


def artifact(name: str = "a.png", media_type: str = "image/png", key: str = "k") -> ArtifactState:
    return ArtifactState(name=name, media_type=media_type, size_bytes=3, key=key)


NAMES = [
    ("a.png", "filename=\"a.png\"; filename*=UTF-8''a.png"),
    ("quảng cáo.png", "filename=\"qu_ng c_o.png\"; filename*=UTF-8''qu%E1%BA%A3ng%20c%C3%A1o.png"),
    ('a"b\\c.txt', "filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
    ("a\r\nset-cookie: x", "filename=\"a__set-cookie_ x\"; filename*=UTF-8''a%0D%0Aset-cookie%3A%20x"),
    ("100%.txt", "filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_is_encoded_by_rfc_8187_and_cannot_break_the_header(name: str, expected: str) -> None:
    assert content_disposition(name, inline=False) == f"attachment; {expected}"


@pytest.mark.parametrize(
    ("name", "media_type", "expected"),
    [
        ("ads/v1/300x250", "image/png", "300x250.png"),
        ("a.png", "image/png", "a.png"),
        ("report", "application/json", "report.json"),
        ("x/", "application/x-odd", "x"),
        ("a.tar.gz", "application/gzip", "a.tar.gz"),
    ],
)
def test_a_file_name_is_the_last_segment_with_an_extension(name: str, media_type: str, expected: str) -> None:
    assert file_name(name, media_type) == expected


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "image/svg+xml", "application/xml", "text/xml", "application/octet-stream", "odd"],
)
def test_active_content_is_downloaded_in_a_sandbox(media_type: str) -> None:
    headers = artifact_headers(artifact(media_type=media_type), version=None, download=False)

    assert headers["content-disposition"].startswith("attachment")
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_media_type_that_could_break_the_header_is_not_sent() -> None:
    assert (
        artifact_headers(artifact(media_type="image/png\r\nx: y"), version=None, download=False)[
            "content-type"
        ]
        == "application/octet-stream"
    )


def test_only_the_current_version_is_immutable() -> None:
    state = artifact()

    assert (
        "immutable"
        in artifact_headers(state, version=artifact_version(state), download=False)["cache-control"]
    )
    assert artifact_headers(state, version="old", download=False)["cache-control"] == "private, no-cache"


def test_a_later_artifact_of_the_same_name_has_a_new_url_and_etag() -> None:
    first, second = artifact(key="k1"), artifact(key="k2")

    assert artifact_view("r", first).url != artifact_view("r", second).url
    assert (
        artifact_headers(first, version=None, download=False)["etag"]
        != artifact_headers(second, version=None, download=False)["etag"]
    )
