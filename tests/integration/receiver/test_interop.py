"""The examples of docs/signatures.md (Node; curl with openssl) run unchanged; their events are accepted."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from signalbox_core.events import encode_event
from signalbox_core.ids import new_run_id
from signalbox_core.signatures import Algorithm, write_key_file
from support.drivers.signed_requests import new_private_key, signer_and_key, write_private_key
from support.fakes.events import story
from support.servers.live_receiver import live_receiver, make_topics, published

DOC = (Path(__file__).parents[3] / "docs" / "signatures.md").read_text()


def example(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)
    return str(found)


@pytest.mark.parametrize(
    ("language", "program", "name"),
    [
        pytest.param("js", "node", "send.mjs", id="node"),
        pytest.param("sh", "sh", "send.sh", id="curl-openssl"),
    ],
)
async def test_an_example_delivers_an_event(
    language: str, program: str, name: str, redis_url: str, pubsub_host: str, tmp_path: Path
) -> None:
    if shutil.which(program) is None or (
        language == "sh" and not (shutil.which("curl") and shutil.which("openssl"))
    ):
        pytest.skip(f"{program} is not installed")
    project = new_run_id("echo")
    await make_topics(pubsub_host, project)
    private = new_private_key(Algorithm.ED25519)
    signer, key = signer_and_key(private=private)
    write_key_file(tmp_path / "keys.json", [key.record])
    (tmp_path / "event.json").write_bytes(encode_event(story(project)[0]))
    (tmp_path / name).write_text(example(language))
    around = {"redis_url": redis_url, "pubsub_host": pubsub_host, "project": project}
    async with live_receiver(keys=tmp_path / "keys.json", signer=signer, **around) as receiver:
        given = {"URL": receiver.url, "KEYID": "key-1", "EVENT_FILE": str(tmp_path / "event.json")}
        given["PRIVATE_KEY_FILE"] = str(write_private_key(tmp_path / "key.pem", private))
        command = (program, str(tmp_path / name))
        environ = {**os.environ, **given, "NO_PROXY": "*", "no_proxy": "*"}
        child = await asyncio.create_subprocess_exec(
            *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(child.communicate(), 60)
    assert b"202" in out, (out, err)
    assert len(await published(pubsub_host, project)) == 1
