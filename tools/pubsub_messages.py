"""Generate the definitions of Pub/Sub's messages from google-cloud-pubsub; `--check` fails when stale."""

import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.pubsub_v1.types import pubsub, schema

DEFINITIONS = Path(__file__).parents[1] / "shared/core/src/signalbox_core/pubsub/wire.binpb"
GOOGLES, PACKAGE = "google.pubsub.v1", "signalbox.pubsub.v1"


def main(arguments: list[str]) -> int:
    expected = FileDescriptorSet(file=[renamed(schema.Schema), renamed(pubsub.Topic)])
    if arguments == ["--check"]:
        if FileDescriptorSet.FromString(DEFINITIONS.read_bytes()) == expected:
            return 0
        print(f"{DEFINITIONS} differs from google-cloud-pubsub; run tools/pubsub_messages.py")
        return 1
    DEFINITIONS.write_bytes(expected.SerializeToString(deterministic=True))
    return 0


def renamed(wrapper: type) -> FileDescriptorProto:
    """Return the file that defines a message, under our package name."""
    file = FileDescriptorProto()
    wrapper.pb().DESCRIPTOR.file.CopyToProto(file)  # type: ignore[attr-defined]  # of the wrapper's metaclass
    file.package = PACKAGE
    file.name = ours(file.name)
    file.dependency[:] = [ours(name) for name in file.dependency]
    for message in file.message_type:
        rename_types(message)
    return file


def rename_types(message: object) -> None:
    for field in message.field:  # type: ignore[attr-defined]  # DescriptorProto, without types
        if field.type_name:
            field.type_name = field.type_name.replace(f".{GOOGLES}.", f".{PACKAGE}.")
    for nested in message.nested_type:  # type: ignore[attr-defined]
        rename_types(nested)


def ours(file_name: str) -> str:
    return file_name.replace("google/pubsub_v1/types/", "signalbox/pubsub/v1/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
