"""A pipeline whose input has secrets; its workflow does not exist."""

from typing import Final

from msgspec import Struct

from signalbox_core.pipeline import PipelineSpec, Secret, Step


class LoginInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user: str
    password: Secret
    token: Secret | None = None


class LoginResult(Struct, frozen=True, kw_only=True):
    length: int


SPEC: Final = PipelineSpec(
    name="login",
    title="Login",
    input=LoginInput,
    result=LoginResult,
    workflow="nowhere:Login",
    steps=(Step("enter", "Enter"),),
)
