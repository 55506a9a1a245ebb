"""Routes of pipelines, runs, their artifacts, and uploads."""

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import schemas
from signalbox_gateway.api.artifacts import ArtifactHandler
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.pipelines import PipelineHandlers
from signalbox_gateway.api.routes.replies import INVALID_BODY, INVALID_QUERY, RUN_NOT_FOUND, problem
from signalbox_gateway.api.run_input import RunInputHandler
from signalbox_gateway.api.runs import RunHandlers
from signalbox_gateway.api.search.run_list import RunListHandler
from signalbox_gateway.api.start_run import StartRunHandler
from signalbox_gateway.api.uploads import UploadHandler
from signalbox_gateway.runs.views import RunView


def pipeline_routes(pipelines: PipelineHandlers) -> tuple[Endpoint, ...]:
    """What can be started."""
    return (
        Endpoint(
            method="GET",
            path="/v1/pipelines",
            name="list_pipelines",
            summary="List the installed pipelines",
            role=Role.VIEWER,
            handle=pipelines.list,
            replies=(Reply(200, "The pipelines, sorted by name", schemas.PipelineListView),),
        ),
        Endpoint(
            method="GET",
            path="/v1/pipelines/{name}",
            name="get_pipeline",
            summary="Get the contract of a pipeline: its steps, approvals and JSON Schemas",
            role=Role.VIEWER,
            handle=pipelines.show,
            replies=(
                Reply(200, "The contract", schemas.PipelineView),
                problem(404, "No pipeline of that name is installed"),
            ),
        ),
    )


def run_routes(
    start_run: StartRunHandler,
    run_list: RunListHandler,
    runs: RunHandlers,
    run_input: RunInputHandler,
    artifacts: ArtifactHandler,
) -> tuple[Endpoint, ...]:
    """Starting and reading runs."""
    return (
        Endpoint(
            method="POST",
            path="/v1/runs",
            name="start_run",
            summary="Start a run; idempotent by `run_id` or `Idempotency-Key`",
            role=Role.OPERATOR,
            handle=start_run.handle,
            body=schemas.StartRun,
            takes_idempotency_key=True,
            scoped_access="start",
            replies=(
                Reply(201, "Started", schemas.StartResponse),
                Reply(200, "An earlier identical request started this run", schemas.StartResponse),
                Reply(
                    202,
                    "Queued: Temporal is unavailable, and the run starts when it is available again",
                    schemas.StartResponse,
                ),
                problem(409, "The run id or the key is in use by a different request"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/runs",
            name="list_runs",
            summary="List the tenant's runs",
            role=Role.VIEWER,
            handle=run_list.handle,
            query=schemas.ListRuns,
            replies=(
                Reply(
                    200,
                    "One page, newest first; pages of open runs precede those of closed runs",
                    schemas.RunPageView,
                ),
                INVALID_QUERY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/runs/{run_id}",
            name="get_run",
            summary="Get the snapshot of a run: status, steps, approvals and artifacts",
            role=Role.VIEWER,
            handle=runs.show,
            scoped_access="watch",
            replies=(Reply(200, "The current snapshot", RunView), RUN_NOT_FOUND),
        ),
        Endpoint(
            method="GET",
            path="/v1/runs/{run_id}/input",
            name="get_input",
            summary="Get the input of a run; secrets are masked",
            role=Role.VIEWER,
            handle=run_input.show,
            replies=(
                Reply(200, "The input", schemas.RunInputView),
                problem(409, "The run is queued; its input can be read when it has started"),
                RUN_NOT_FOUND,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/runs/{run_id}/result",
            name="get_result",
            summary="Get the result of a completed run",
            role=Role.VIEWER,
            handle=runs.result,
            scoped_access="watch",
            replies=(
                Reply(200, "The result, in the schema that the pipeline's contract declares"),
                problem(409, "The run has not ended, or ended without a result"),
                RUN_NOT_FOUND,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/runs/{run_id}/artifacts/{name:path}",
            name="get_artifact",
            summary="Download an artifact of a run; `?download` forces `Content-Disposition: attachment`",
            role=Role.VIEWER,
            handle=artifacts.fetch,
            scoped_access="watch",
            replies=(
                Reply(200, "The bytes, with the artifact's media type", None, "*/*"),
                Reply(304, "Not modified", None, ""),
                problem(404, "The run or the artifact does not exist"),
            ),
        ),
    )


def upload_routes(uploads: UploadHandler) -> tuple[Endpoint, ...]:
    """Files that a run's input refers to."""
    return (
        Endpoint(
            method="POST",
            path="/v1/objects",
            name="upload",
            summary="Upload a file that a run can read; the request body is the file's bytes",
            role=Role.OPERATOR,
            handle=uploads.store,
            body_media_type="*/*",
            replies=(
                Reply(201, "Stored; use `object` in the input of a run", schemas.UploadResponse),
                problem(413, "The file is too large"),
                problem(415, "The file's type is not supported"),
                problem(422, "The file is empty"),
            ),
        ),
    )
