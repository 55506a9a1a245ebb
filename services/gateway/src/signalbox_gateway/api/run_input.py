"""Shows what a run was started with."""

from datetime import timedelta

import msgspec
from starlette.responses import Response
from temporalio.client import Client

from signalbox_core.errors import Conflict
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import RunInputView
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.recorded_start import mask_secrets, read_recorded_start
from signalbox_gateway.runs.workflow_ids import WorkflowIds


class RunInputHandler:
    """The handler of GET /v1/runs/{run_id}/input."""

    def __init__(
        self, states: RunReader, client: Client, workflow_ids: WorkflowIds, *, deadline: timedelta
    ) -> None:
        self._states = states
        self._client = client
        self._workflow_ids = workflow_ids
        self._deadline = deadline

    async def show(self, call: ApiCall) -> Response:
        """The input, with secrets masked.

        Raises:
            Conflict: the run is queued; its input is in the topic of start requests until it starts.
        """
        run_id = call.param("run_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        if snapshot.status == "queued":
            raise Conflict(
                f"run {run_id} is queued; its input can be read when it has started", code="not_started"
            )
        start = await self._workflow_ids.call(
            snapshot.key,
            lambda workflow_id: read_recorded_start(
                self._client, workflow_id, call.principal.tenant, deadline=self._deadline
            ),
        )
        shown = mask_secrets(start.input)
        return json_response(
            RunInputView(
                run_id=run_id,
                pipeline=snapshot.pipeline,
                input=msgspec.Raw(msgspec.json.encode(shown.value)),
                masked=shown.masked,
            )
        )
