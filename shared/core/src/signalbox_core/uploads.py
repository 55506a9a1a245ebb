"""The contract type of an uploaded file; `signalbox_core.objects.read_upload` reads the file."""

from typing import Annotated

from msgspec import Meta, Struct


class Upload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, at most 50 MB."""

    object: Annotated[
        str,
        Meta(
            title="Object",
            description="The `object` that POST /v1/objects returned",
            min_length=1,
            max_length=1_000,
            extra_json_schema={"format": "signalbox-upload"},
        ),
    ]
    name: Annotated[str, Meta(title="Name", description="The file's name", max_length=200)] = ""
