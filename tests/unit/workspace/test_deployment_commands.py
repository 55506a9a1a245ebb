"""The commands of docs/deploy.md that create keys and secrets fit the manifests of k8s/base."""

import re
import shlex
from pathlib import Path

import pytest

from signalbox_admin.cli import main
from signalbox_core.signatures import read_key_file
from support.deployment import ROOT, generated, pod_specs


def documented_commands() -> list[list[str]]:
    text = (ROOT / "docs/deploy.md").read_text()
    block = text.partition("Create the keys and five secrets first.")[2].partition("```console\n")[2]
    return [
        shlex.split(line.removeprefix("$ "))
        for line in block.partition("```")[0].splitlines()
        if line.startswith("$ ")
    ]


def test_the_keys_can_be_created_and_fit_the_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for program, *arguments in documented_commands():
        if program == "signalbox-admin":
            assert main(arguments) == 0

    keyids = [record.keyid for record in read_key_file(tmp_path / "receiver-keys.json").keys]
    assert keyids == [generated("signalbox-worker")["SIGNALBOX_WORKER_KEYID"]]
    assert all(Path(file).exists() for files in documented_secrets().values() for file in files)


def test_every_secret_that_a_pod_needs_is_created_after_the_namespace() -> None:
    needed = {
        (source["secret"]["name"], item["path"])
        for _, pod in pod_specs()
        for volume in pod.get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
        if "secret" in source and not source["secret"].get("optional")
        for item in source["secret"]["items"]
    }
    assert {(name, file) for name, files in documented_secrets().items() for file in files} == needed

    kubectl = [" ".join(words) for words in documented_commands() if words[0] == "kubectl"]
    assert kubectl[0] == "kubectl create namespace signalbox"
    assert all(command.endswith("--namespace=signalbox") for command in kubectl[1:])


def documented_secrets() -> dict[str, list[str]]:
    """The files of each secret."""
    return {
        words[4]: [file for word in words for file in re.findall(r"^--from-file=(.+)$", word)]
        for words in documented_commands()
        if words[:4] == ["kubectl", "create", "secret", "generic"]
    }
