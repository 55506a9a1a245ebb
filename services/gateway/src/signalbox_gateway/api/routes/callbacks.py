"""The route of one-time callback URLs. Only a POST has an effect."""

from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.inbound.callbacks import CallbackHandler, CallbackView
from signalbox_gateway.api.routes.replies import INVALID_BODY, problem


def callback_routes(callbacks: CallbackHandler) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/callbacks/{token}",
            name="receive_callback",
            summary="Complete a run's wait, once; the body is the event's data",
            role=None,
            handle=callbacks.receive,
            body_media_type="application/json",
            replies=(
                Reply(200, "Received", CallbackView),
                Reply(202, "Stored; no worker responded, so the run receives it later", CallbackView),
                problem(403, "The URL is not valid"),
                problem(404, "No installed pipeline declares the event"),
                problem(409, "The URL was used or has expired, or the run no longer waits"),
                *INVALID_BODY,
            ),
        ),
    )
