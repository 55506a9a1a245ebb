"""Routes of passkeys: register, list, revoke."""

from typing import Final

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api.access.passkeys import (
    ListPasskeys,
    PasskeyHandlers,
    PasskeyListView,
    PasskeyOptions,
    PasskeyView,
    RegisterPasskey,
)
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import INVALID_BODY, INVALID_QUERY, problem

_NOT_PERMITTED: Final = problem(403, "The caller is not a person, or passkeys are not enabled")


def passkey_routes(passkeys: PasskeyHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/passkeys",
            name="list_passkeys",
            summary="List the caller's passkeys, or as an admin those of a subject",
            role=Role.APPROVER,
            handle=passkeys.show,
            query=ListPasskeys,
            replies=(Reply(200, "The passkeys", PasskeyListView), _NOT_PERMITTED, INVALID_QUERY),
        ),
        Endpoint(
            method="POST",
            path="/v1/passkeys/options",
            name="start_passkey",
            summary="Start the registration of a passkey: a challenge for the browser, for five minutes",
            role=Role.APPROVER,
            handle=passkeys.options,
            replies=(Reply(200, "What the browser needs", PasskeyOptions), _NOT_PERMITTED),
        ),
        Endpoint(
            method="POST",
            path="/v1/passkeys",
            name="register_passkey",
            summary="Register a passkey that the browser has created",
            role=Role.APPROVER,
            handle=passkeys.register,
            body=RegisterPasskey,
            replies=(
                Reply(201, "Registered", PasskeyView),
                _NOT_PERMITTED,
                problem(409, "Another subject has registered this passkey"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="DELETE",
            path="/v1/passkeys/{passkey_id}",
            name="revoke_passkey",
            summary="Permanently revoke a passkey: the caller's own, or as an admin anyone's",
            role=Role.APPROVER,
            handle=passkeys.revoke,
            replies=(
                Reply(204, "Revoked", None, ""),
                problem(404, "The caller has no passkey with this id"),
            ),
        ),
    )
