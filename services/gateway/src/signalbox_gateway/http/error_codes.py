"""The error codes of the API, described, and the problem responses (RFC 9457) that carry them."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from signalbox_core.errors import Forbidden, SignalboxError
from signalbox_core.http import responses

_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="signalbox"'}


class Unauthenticated(Forbidden):
    """The request carries no API key, session or ticket, or one that is invalid or expired."""

    code = "unauthenticated"


# Every code of the API, for the page /docs.
CODES: Final[Mapping[str, str]] = {
    "bad_json": "The body is not valid JSON.",
    "malformed_request": "The request is not valid HTTP/1.1.",
    "wrong_content_type": "The body is not declared as application/json.",
    "body_too_large": "The body is larger than 1 MiB, or 16 MiB with the input of a run.",
    "payload_too_large": "The body is larger than any endpoint accepts.",
    "headers_too_large": "The request line and headers are larger than 32 KiB.",
    "request_timeout": "The headers or the body arrived too slowly.",
    "upload_too_large": "The file is larger than 50 MB.",
    "wrong_upload_type": "The file's type is not supported.",
    "empty_upload": "The file is empty.",
    "answer_too_large": "The answer has more than 128 KiB; upload large files, and answer with their keys.",
    "method_not_allowed": "The path does not support the method; `Allow` lists those that it does.",
    "invalid_input": "Fields are missing, unknown or invalid; `errors` names each.",
    "invalid_query": "The search `q` is malformed; `detail` names the part and the remedy.",
    "unknown_pipeline": "No pipeline of that name is installed.",
    "unauthenticated": "The API key, session or ticket is missing, invalid or expired.",
    "issuer_unavailable": "The signing keys of the token's issuer cannot be fetched; retry later.",
    "payload_key_missing": "A value is encrypted with a key that this gateway lacks; restore the key.",
    "payload_damaged": "An encrypted value was modified, or was encrypted with another key of the same name.",
    "payload_missing": "A large value of the run is not in the object store; restore it there.",
    "secrets_unavailable": "The input contains a secret, and this gateway has no payload keys to encrypt it.",
    "forbidden": "The principal lacks the required role; `role` names it.",
    "not_allowed_by_policy": "The subject may not decide this approval; `rule` names the rule of its policy.",
    "signature_required": "The approval's policy requires a signature with the caller's passkey.",
    "signature_mismatch": "The passkey signed another decision, question, answer, note or subject.",
    "signature_invalid": "The signature was not made with this passkey, or was changed.",
    "signature_replayed": "The signature was used for another decision before.",
    "user_not_verified": "The authenticator did not verify the person by PIN, fingerprint or face.",
    "passkey_unknown": "No passkey with this id is registered.",
    "passkey_of_another": "The passkey belongs to another subject.",
    "passkey_revoked": "The passkey was revoked.",
    "passkey_cloned": "The passkey's signature counter did not increase, so a copy of it exists; revoke it.",
    "passkey_wrong_origin": "The passkey was used on a page whose origin is not configured.",
    "passkey_exists": "The passkey was registered by another subject.",
    "passkey_invalid": "The new passkey is malformed, or was created without verifying the person.",
    "passkey_challenge_expired": "The challenge of the registration was used before, or has expired.",
    "passkeys_disabled": "Passkeys are not enabled in this deployment; an operator can configure them.",
    "too_many_passkeys": "The caller has reached the limit of passkeys per subject.",
    "not_a_person": "Only people have passkeys; the caller is a service or an agent.",
    "not_permitted_by_token": "The scoped token does not permit this request.",
    "token_used_up": "The scoped token has been used as often as it permits; get a new one.",
    "other_origin": "A request with a session cookie came from another site.",
    "not_found": "No resource exists at this path.",
    "unknown_run": "The run does not exist, or belongs to another tenant.",
    "unknown_approval": "The run has no approval of that id.",
    "no_receipt": "The ledger has no outcome of this approval, or has none yet.",
    "no_ledger": "This deployment has no ledger.",
    "ledger_empty": "The tenant's ledger has no entries yet.",
    "link_invalid": "The decision link was not signed by this deployment, or was changed.",
    "link_expired": "The decision link has expired.",
    "link_used": "The decision link has already been used; each link decides once.",
    "link_stale": "The question has changed since the decision link was sent.",
    "unknown_artifact": "The run has no artifact of that name.",
    "run_id_taken": "The run id is in use by a different request.",
    "key_reused": "The Idempotency-Key was used for a different run id.",
    "already_decided": "The approval has a decision; see `decided_by`, `decided_at` and `decision_id`.",
    "approval_expired": "The deadline of the approval has passed.",
    "vetoed": "An objection ended the approval; see `decided_by` and `reason`.",
    "claimed": "Another subject has claimed the approval; see `claimed_by` and `claimed_until`.",
    "not_claimed": "The caller has no claim on the approval to release.",
    "reason_required": "An objection needs a reason.",
    "withdrawn": "The run no longer asks this question.",
    "not_asked_yet": "The question has not been asked yet, and its contract accepts no early decision.",
    "stale_digest": "The question has changed since it was read; fetch it again.",
    "digest_required": "A person's decision needs the `digest` of the question that was shown.",
    "invalid_answer": "The answer violates a rule of the pipeline; the approval stays pending.",
    "decision_id_taken": "The decision id was used for a different answer, or by another subject.",
    "conflict": "The request conflicts with the state of the run, for example with its cancellation.",
    "unencrypted_message": "The run accepts only encrypted messages, and this gateway has no payload keys.",
    "unknown_event": "The contract declares no external event of that name.",
    "invalid_event": "The event's data is too large, or violates the contract of the run's worker.",
    "too_many_events": "Too many events are waiting; send the event again later.",
    "callback_invalid": "The callback URL was not made by this deployment, or was changed.",
    "callback_expired": "The callback URL has expired.",
    "callback_used": "The callback URL was used before; it works once.",
    "callback_closed": "The run no longer waits for the callback, or has ended.",
    "unknown_webhook": "No webhook of that name is configured.",
    "webhook_unsigned": "The webhook lacks a header of Standard Webhooks.",
    "webhook_malformed": "A header of the webhook is malformed; `field` names it.",
    "webhook_signature_invalid": "No signature of the webhook was made with its secret.",
    "webhook_stale": "The timestamp of the webhook is too old, or in the future.",
    "run_ended": "The run has ended; `run_status` has its status.",
    "not_finished": "The run has no result yet.",
    "not_started": "The run is queued or was never started, so it has no recorded input.",
    "not_ended": "The run has not ended; cancel it first, or wait.",
    "plain_workflow": "The run is a plain workflow: it can be cancelled, not paused or retried.",
    "not_failed": "The run did not fail: it is open, or it has completed.",
    "nothing_to_keep": "The run ended before any of its work; retry it from the start.",
    "would_repeat_steps": "Completed steps (`steps`) would run again; retry the run from the start.",
    "input_needs_start": "An edited input needs `from: start`.",
    "run_failed": "The run failed and has no result; `error` has the step and the cause.",
    "run_cancelled": "The run was cancelled and has no result.",
    "run_terminated": "The run was terminated and has no result.",
    "run_timed_out": "The run timed out and has no result.",
    "unknown_schedule": "The schedule does not exist, or belongs to another tenant.",
    "schedule_id_taken": "The tenant already has a schedule with that id.",
    "too_many_schedules": "The tenant has reached its limit of schedules; delete one first.",
    "interval_too_short": "The schedule would start runs more often than this deployment allows.",
    "schedule_busy": "The schedule's last run has not ended, and `overlap` is `skip`.",
    "too_many_times": "The backfill would start more than 500 runs.",
    "unavailable": "A dependency is unavailable; retry later.",
    "draining": "This gateway is shutting down; retry, and another one responds.",
    "storage_full": "No space is left to store files; retry when an operator has freed space.",
    "temporal_unavailable": "Temporal is unavailable; retry later.",
    "workers_not_listed": "The Temporal server does not list workers: it is older than 1.31, or this is off.",
    "rate_limited": "The rate limit is exceeded; retry after `Retry-After` seconds.",
    "internal_error": "Internal error, logged under the response's request id.",
}


def problem_response(error: SignalboxError, headers: Mapping[str, str] | None = None) -> Response:
    """The response of an error; its facts become further members."""
    return responses.problem_response(error, headers=headers, challenge=_CHALLENGE, extensions=error.facts)


def bug_response() -> Response:
    """The response of an unexpected exception; reveals nothing about it."""
    return responses.internal_error_response("internal error, logged under this response's request id")
