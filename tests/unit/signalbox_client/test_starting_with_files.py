"""`signalbox start` with a field for a file: uploads the file, and sends its reference."""

import io
import json
from pathlib import Path

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.arguments.command_parser import parse_arguments
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.start import start
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.spec import json_schema
from support.uploads.contract import LetterInput

REFERENCE = {"object": "uploads/acme/ab", "name": "letter.txt"}


class LetterGateway:
    """Takes uploads and one start of `letter`."""

    def __init__(self) -> None:
        self.uploaded: list[bytes] = []
        self.inputs: list[object] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/objects":
            self.uploaded.append(request.content)
            stored = {"object": REFERENCE["object"], "media_type": "text/plain", "size_bytes": 9}
            return httpx2.Response(201, json={**stored, "sha256": "ab"})
        if request.method == "POST":
            self.inputs.append(json.loads(request.content)["input"])
            return httpx2.Response(201, json={"run_id": "r", "pipeline": "letter", "status": "running"})
        contract = {"name": "letter", "title": "Letter", "input_schema": json_schema(LetterInput)}
        return httpx2.Response(200, json=contract)


async def call(gateway: LetterGateway, *arguments: str) -> int:
    options = parse_arguments(["start", "letter", *arguments])
    async with AsyncSignalbox(
        "http://gateway.test", "key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        console = Console(width=200, file=io.StringIO())
        return await start(CommandContext(client=client, console=console, as_json=False), options)


async def test_the_file_is_uploaded_and_its_reference_sent(tmp_path: Path) -> None:
    gateway, file = LetterGateway(), tmp_path / "letter.txt"
    file.write_bytes(b"Dear Lan,")

    code = await call(gateway, "--letter", str(file))

    assert (code, gateway.uploaded, gateway.inputs) == (0, [b"Dear Lan,"], [{"letter": REFERENCE}])


async def test_a_file_that_does_not_exist_is_named_with_its_flag(tmp_path: Path) -> None:
    gateway = LetterGateway()

    with pytest.raises(InvalidInput, match=r"--letter .*letter\.txt: No such file"):
        await call(gateway, "--letter", str(tmp_path / "letter.txt"))

    assert (gateway.uploaded, gateway.inputs) == ([], [])
