"""Enters somewhere with a password."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from signalbox_core.pipeline import PipelineSpec, Secret, Step


class LoginInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user: Annotated[str, Meta(title="User", min_length=1)]
    password: Annotated[Secret, Meta(title="Password")]
    token: Annotated[Secret, Meta(title="Token")] | None = None


class LoginResult(Struct, frozen=True, kw_only=True):
    length: int


SPEC: Final = PipelineSpec(
    name="login",
    title="Login",
    input=LoginInput,
    result=LoginResult,
    steps=(Step("enter", "Enter"),),
    workflow="planted_pipelines.login.workflow:Login",
    activities="planted_pipelines.login.activities:Activities",
)
