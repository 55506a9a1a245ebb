"""The values of the Helm chart: collected from the base's manifests, with their comments and their schema."""

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml

CONFIG: Final = {
    "signalbox-backends": "backends",
    "signalbox-gateway": "gateway.environment",
    "signalbox-webhook-receiver": "webhookReceiver.environment",
    "signalbox-worker": "worker.environment",
    "signalbox-policies": "autoscaler.policies",
}
"""The value of each ConfigMap."""
ORDER: Final = (
    *("backends", "secrets", "ingress", "networkPolicies"),
    *("gateway", "webhookReceiver", "worker", "burstWorker", "autoscaler", "provision"),
)
COMMENTS: Final = {
    "backends": "Variables of all services: addresses of Temporal, Redis and Pub/Sub.",
    "secrets": "Names of existing secrets (docs/deploy.md). `notifications` is optional.",
    "ingress": "The gateway's public address. The host is also its origin and that of callbacks.",
    "ingress.annotations": "Streams last hours and must not be buffered; these are for ingress-nginx.",
    "networkPolicies": "Every pod is closed, and each policy opens one path.",
    "gateway": "`environment` has the service's settings, as strings.",
    "gateway.image": "Set a repository, and a digest or a tag, for every image.",
    "burstWorker": "Launched by the autoscaler, with the image and the environment of the worker.",
    "autoscaler.policies": "Queues that are sized; hot-reloaded.",
    "provision": "A Job that creates topics, subscriptions and search attributes, at every revision.",
}
_TEXT_MAPS: Final = ("environment", "annotations")
_FREE: Final = ("resources",)


class Values:
    """Default values, and the expressions that stand for them in templates."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self._texts: list[str] = []

    def set(self, path: str, default: object) -> None:
        """Note a default value.

        Raises:
            ValueError: the base has two different ones, so one value cannot stand for both.
        """
        *folders, name = path.split(".")
        place = self.tree
        for folder in folders:
            place = place.setdefault(folder, {})
        if place.setdefault(name, default) != default:
            raise ValueError(f"k8s/base has two values for {path}: {place[name]} and {default}")

    def of(self, path: str, default: object) -> str:
        """Note a default value and return what stands for it."""
        self.set(path, default)
        return self.expression(f".Values.{path} | toJson")

    def expression(self, text: str) -> str:
        """Return what stands for an expression until `fill`. JSON is also YAML, at any indentation."""
        return self.text(f"{{{{ {text} }}}}")

    def text(self, text: str) -> str:
        """Return what stands for text that is no YAML until `fill`."""
        self._texts.append(text)
        return f"__text_{len(self._texts) - 1}__"

    def json(self, value: object) -> str:
        return json.dumps(value)

    def fill(self, text: str) -> str:
        for number, expression in enumerate(self._texts):
            text = text.replace(f"__text_{number}__", expression)
        return text


def values_files(values: Values, header: str) -> dict[str, str]:
    """`values.yaml` and the schema that refuses a misspelt value."""
    ordered = {name: values.tree[name] for name in ORDER}
    if ordered.keys() != values.tree.keys():
        raise ValueError(f"ORDER lacks {values.tree.keys() - ordered.keys()}")
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_schema(ordered, ""),
    }
    schema["properties"]["global"] = {"type": "object"}
    return {
        "values.yaml": header + "".join(_lines(ordered, "", 0)),
        "values.schema.json": json.dumps(schema, indent=2) + "\n",
    }


def _lines(tree: Mapping[str, Any], path: str, depth: int) -> list[str]:
    indent, lines = "  " * depth, list[str]()
    for name, value in tree.items():
        here = f"{path}.{name}".lstrip(".")
        lines += ["\n"] if not depth else []
        lines += [f"{indent}# {COMMENTS[here]}\n"] if here in COMMENTS else []
        if isinstance(value, dict) and value:
            lines += [f"{indent}{name}:\n", *_lines(value, here, depth + 1)]
        elif isinstance(value, str) and "\n" in value:
            text = "".join(f"{indent}  {line}".rstrip() + "\n" for line in value.splitlines())
            lines += [f"{indent}{name}: |\n", text]
        else:
            lines.append(f"{indent}{yaml.safe_dump({name: value}, width=10_000)}")
    return lines


def _schema(value: object, path: str) -> dict[str, Any]:
    name = path.rpartition(".")[2]
    if name in _TEXT_MAPS or path == "backends":
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if name in _FREE:
        return {"type": "object"}
    if isinstance(value, dict):
        members = {key: _schema(member, f"{path}.{key}".lstrip(".")) for key, member in value.items()}
        return {"type": "object", "additionalProperties": False, "properties": members}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer", "minimum": 0}
    return {"type": "string"}
