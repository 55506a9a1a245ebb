"""Which addresses are public, and what is wrong with a URL; no socket."""

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.http.fetch.addresses import endpoint, is_public, parse_address
from signalbox_core.http.fetch.sniff import charset_of, media_type_of
from signalbox_core.http.fetch.urls import parse_url


@pytest.mark.parametrize(
    "text", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_internet_are_public(text: str) -> None:
    assert is_public(parse_address(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("0.0.0.0", id="unspecified"),
        pytest.param("10.1.2.3", id="private 10"),
        pytest.param("172.16.0.1", id="private 172.16"),
        pytest.param("192.168.1.1", id="private 192.168"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("100.64.0.1", id="carrier NAT"),
        pytest.param("198.18.0.1", id="benchmarking"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("::", id="unspecified v6"),
        pytest.param("::1", id="loopback v6"),
        pytest.param("fe80::1%eth0", id="link local with a zone"),
        pytest.param("fc00::1", id="unique local"),
        pytest.param("ff02::1", id="multicast v6"),
        pytest.param("::ffff:127.0.0.1", id="mapped"),
        pytest.param("::127.0.0.1", id="compatible"),
        pytest.param("2002:7f00:1::", id="6to4 of loopback"),
        pytest.param("2002:a9fe:a9fe::1", id="6to4 of metadata"),
        pytest.param("64:ff9b::7f00:1", id="NAT64 of loopback"),
        pytest.param("64:ff9b:1::a00:1", id="local NAT64 of 10.0.0.1"),
        pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdd2", id="Teredo, client 192.0.2.45"),
        pytest.param("2001:0:7f00:1::", id="Teredo, server on loopback"),
        pytest.param("168.63.129.16", id="Azure wire server"),
        pytest.param("::ffff:168.63.129.16", id="mapped Azure wire server"),
        pytest.param("64:ff9b::a83f:8110", id="NAT64 of the Azure wire server"),
        pytest.param("2002:a83f:8110::1", id="6to4 of the Azure wire server"),
        pytest.param("192.0.0.192", id="Oracle Cloud metadata"),
        pytest.param("192.0.0.9", id="IETF protocol assignments, PCP anycast"),
        pytest.param("100.100.100.200", id="Alibaba Cloud metadata"),
        pytest.param("169.254.170.2", id="ECS task credentials"),
        pytest.param("169.254.0.23", id="Tencent Cloud metadata"),
        pytest.param("161.26.0.10", id="IBM Cloud private DNS"),
        pytest.param("166.9.0.1", id="IBM Cloud private endpoint"),
        pytest.param("fd00:ec2::254", id="AWS metadata v6"),
        pytest.param("fd00:ec2::23", id="EKS pod identity v6"),
        pytest.param("fd20:ce::254", id="Google Cloud metadata v6"),
    ],
)
def test_addresses_inside_are_not_public_however_they_are_wrapped(text: str) -> None:
    assert not is_public(parse_address(text))


def test_an_endpoint_is_written_as_in_the_allow_list() -> None:
    assert endpoint(parse_address("127.0.0.1"), 8080) == "127.0.0.1:8080"
    assert endpoint(parse_address("::1"), 8080) == "[::1]:8080"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        pytest.param("ftp://shop.example/", "must start with http:// or https://", id="other scheme"),
        pytest.param("file:///etc/passwd", "must start with http:// or https://", id="file"),
        pytest.param("javascript:alert(1)", "must start with http:// or https://", id="script"),
        pytest.param("shop.example/coffee", "must start with http:// or https://", id="no scheme"),
        pytest.param("http://", "names no host", id="no host"),
        pytest.param("https://user:secret@shop.example/", "remove them", id="credentials"),
        pytest.param("https://shop.example:70000/", "does not exist", id="port"),
        pytest.param("https://shop.example/" + "x" * 2000, "shorter", id="too long"),
        pytest.param("http://[::1", "is not an address", id="broken"),
    ],
)
def test_a_wrong_url_names_the_remedy(text: str, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy) as refused:
        parse_url(text, field="input.url")

    assert refused.value.field == "input.url"
    assert refused.value.stable_code == "invalid_url"
    assert "secret" not in refused.value.detail


def test_a_good_url_loses_its_fragment_only() -> None:
    assert str(parse_url(" https://shop.example/a?b=c#d ", field="url")) == "https://shop.example/a?b=c"


@pytest.mark.parametrize(
    ("body", "declared", "media_type"),
    [
        pytest.param(b"\x89PNG\r\n\x1a\n", "text/html", "image/png", id="a picture that claims to be a page"),
        pytest.param(
            b"%PDF-1.7", "text/html; charset=utf-8", "application/pdf", id="a PDF that claims to be a page"
        ),
        pytest.param(b"RIFF\0\0\0\0WEBPVP8 ", "", "image/webp", id="webp without a header"),
        pytest.param(b"not a picture", "image/png", "text/plain", id="words that claim to be a picture"),
        pytest.param(b"<!DOCTYPE html><p>", "", "text/html", id="a page without a header"),
        pytest.param(
            b"\xef\xbb\xbf <html>", "application/octet-stream", "text/html", id="a page behind a mark"
        ),
        pytest.param(b'<?xml version="1.0"?><svg/>', "image/png", "image/svg+xml", id="svg"),
        pytest.param(b"\0\1\2", "text/html", "application/octet-stream", id="bytes that claim to be a page"),
        pytest.param(b"body { }", "text/css", "text/css", id="what it says"),
    ],
)
def test_the_media_type_is_what_the_bytes_are(body: bytes, declared: str, media_type: str) -> None:
    assert media_type_of(body, declared) == media_type


def test_the_charset_is_read_from_the_header() -> None:
    assert charset_of('text/html; charset="Windows-1258"') == "windows-1258"
    assert charset_of("text/html") is None
