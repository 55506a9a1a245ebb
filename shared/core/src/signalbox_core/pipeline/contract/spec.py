"""A pipeline's contract: its public description. Imports no client library."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Struct

from signalbox_core.events.policy import Policy, check_policy
from signalbox_core.pipeline.contract.approved_effect import ApprovedValues
from signalbox_core.pipeline.contract.external_event import ExternalEvent
from signalbox_core.pipeline.contract.find import check_subject, find_fields
from signalbox_core.pipeline.contract.ladder import Ladder, check_ladder, deadline_of
from signalbox_core.pipeline.contract.start_on import StartOn, check_starts
from signalbox_core.secret import Secret, schema_hook

if TYPE_CHECKING:
    import typing_extensions

    # The default lets a bare `PipelineSpec` mean any pipeline. At run time neither it nor the package is
    # needed.
    In = typing_extensions.TypeVar("In", bound=Struct, default=Any)
    Out = typing_extensions.TypeVar("Out", bound=Struct, default=Any)
else:
    In = TypeVar("In", bound=Struct)
    Out = TypeVar("Out", bound=Struct)

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
A = TypeVar("A", bound=Struct)
Versioning = Literal["auto-upgrade", "pinned"]


class Step(Struct, frozen=True):
    """A named stage of a run, as people see it."""

    name: str
    title: str


class Approval(Struct, Generic[A], frozen=True, kw_only=True):
    """A question that a run may ask: the type of its answer and how long it stays open.

    Attributes:
        early: whether a decision may arrive before the question; its sender has not seen what is asked.
        policy: who may decide; by default any one approver of the tenant.
        ladder: what happens while nobody decides; by default one reminder at half the deadline. Its `Expire`
            or `Default` replaces the deadline.
        links: whether people without an account may decide, by a link in a mail.
        approves: the values that effects may use after a decision, derived from the answer and the question
            as it was shown. Pure. Without it an effect may use the answer itself. See `Run.receipt`.
    """

    name: str
    title: str
    answer: type[A]
    deadline: timedelta = timedelta(days=7)
    early: bool = False
    policy: Policy = Policy()
    links: bool = False
    ladder: Ladder = ()
    approves: ApprovedValues | None = None

    @property
    def open_for(self) -> timedelta:
        """How long a question stays open."""
        return deadline_of(self.ladder) or self.deadline


class DomainEvent(Struct, frozen=True):
    """An event about the pipeline's subject matter: short name (`ad.approved`), data type, meaning."""

    name: str
    data: type[Struct]
    meaning: str


class PipelineSpec(Struct, Generic[In, Out], frozen=True, kw_only=True):
    """The contract (`SPEC` in contract.py) of a pipeline with input In and result Out.

    Attributes:
        name: lower case and underscores; also the workflow type and the default task queue.
        workflow: `"module:Class"`, loaded by workers only.
        activities: loaded by workers only. `"module:factory"`: a class or function that takes `ActivityDeps`
            and returns an object with `@activity.defn` methods, or a list of them. `"module"`: its functions
            are the activities. By default the module `activities` in the workflow's package.
        task_queue: Temporal's task queue; by default the name.
        children: pipelines whose runs this one starts; discovered, served and shown like any other.
        external_events: what its runs may wait for with `Run.wait_for`.
        starts: external events that start its runs.
        workflows: further workflows of this pipeline that are not runs, `"module:Class"` each; loaded by
            workers only.
        versioning: what a new build of versioned workers means for open runs: `"auto-upgrade"` continues them
            on the new build, `"pinned"` completes each on the build that started it. Unversioned workers
            ignore it.
        subject: what a run is about: a template with fields of the input, `"{product} · {url.host}"`. Its
            words and the fields marked with `Find` are stored unencrypted in Temporal's search index.

    Raises:
        ValueError: a name is malformed or declared twice, a policy can never be met, a ladder has a rung that
            is never reached, a field has no JSON Schema, something other than the input holds a Secret, the
            input holds one although events start runs, the subject or a `Find` cannot be searched, or
            `versioning` has another value.
    """

    name: str
    title: str
    input: type[In]
    result: type[Out]
    workflow: str
    steps: tuple[Step, ...]
    activities: str = ""
    description: str = ""
    approvals: tuple[Approval[Any], ...] = ()
    events: tuple[DomainEvent, ...] = ()
    task_queue: str = ""
    children: "tuple[PipelineSpec, ...]" = ()
    workflows: tuple[str, ...] = ()
    subject: str = ""
    versioning: Versioning = "auto-upgrade"
    external_events: tuple[ExternalEvent[Any], ...] = ()
    starts: tuple[StartOn[Any], ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"pipeline name {self.name!r}: use lower case letters, digits and underscores")
        if not self.task_queue:
            msgspec.structs.force_setattr(self, "task_queue", self.name)
        if not self.activities:
            package = self.workflow.partition(":")[0].rpartition(".")[0]
            msgspec.structs.force_setattr(self, "activities", f"{package}.activities")
        self._check()

    def _check_approvals(self) -> None:
        for item in self.approvals:
            try:
                check_policy(item.policy)
                if item.links and item.policy.require_signature:
                    raise ValueError(
                        "links=True lets people without an account decide, who have no passkeys; "
                        "leave out links or policy.require_signature"
                    )
                check_ladder(item.ladder, item.answer, item.open_for)
            except ValueError as error:
                raise ValueError(f"pipeline {self.name}: approval {item.name!r}: {error}") from None

    def _check(self) -> None:
        for kind, names in (
            ("step", [step.name for step in self.steps]),
            ("approval", [item.name for item in self.approvals]),
            ("external event", [item.name for item in self.external_events]),
        ):
            duplicates = {name for name in names if names.count(name) > 1}
            if duplicates:
                raise ValueError(f"pipeline {self.name}: {kind} {min(duplicates)!r} is declared twice")
        if self.versioning not in get_args(Versioning):
            raise ValueError(
                f"pipeline {self.name}: versioning {self.versioning!r}: use 'auto-upgrade' or 'pinned'"
            )
        self._check_approvals()
        displayed = {
            "result": self.result,
            **{f"answer of {item.name}": item.answer for item in self.approvals},
            **{f"event {event.name}": event.data for event in self.events},
            **{f"external event {event.name}": event.data for event in self._inbound_events},
        }
        for what, shape in {"input": self.input, **displayed}.items():
            if problem := schema_problem(shape):
                raise ValueError(f"pipeline {self.name}: the {what} has no JSON Schema: {problem}")
        if leaking := [what for what, shape in displayed.items() if holds_secret(shape)]:
            raise ValueError(
                f"pipeline {self.name}: the {leaking[0]} holds a Secret; only an input may, "
                "because everything else is displayed"
            )
        self._check_search()
        self._check_starts()
        names = [*(event.name for event in self.events), *(event.name for event in self._inbound_events)]
        malformed = [name for name in names if not _EVENT.fullmatch(name)]
        if malformed:
            raise ValueError(
                f"pipeline {self.name}: event name {malformed[0]!r} must be lower case and dotted"
            )

    def _check_search(self) -> None:
        try:
            find_fields(self.input)
            check_subject(self.subject, self.input)
        except ValueError as error:
            raise ValueError(f"pipeline {self.name}: {error}") from None

    def _check_starts(self) -> None:
        try:
            check_starts(self.starts, self.external_events)
        except ValueError as error:
            raise ValueError(f"pipeline {self.name}: {error}") from None
        if self.starts and holds_secret(self.input):
            raise ValueError(
                f"pipeline {self.name}: the input holds a Secret, which no event carries; leave out `starts`"
            )

    @property
    def _inbound_events(self) -> tuple[ExternalEvent[Any], ...]:
        return (*self.external_events, *(start.event for start in self.starts))

    @property
    def family(self) -> "tuple[PipelineSpec, ...]":
        """This pipeline and those that its runs start, directly or through others."""
        return (self, *(spec for child in self.children for spec in child.family))

    def approval(self, name: str) -> Approval[Any]:
        """Return the declared approval of that name; a KeyError is a bug in the pipeline."""
        return {item.name: item for item in self.approvals}[name]

    def external_event(self, name: str) -> ExternalEvent[Any] | None:
        """Return the declared external event of that name, if there is one."""
        return next((event for event in self.external_events if event.name == name), None)

    def start_on(self, name: str) -> StartOn[Any] | None:
        """Return what the external event of that name starts, if it starts a run."""
        return next((start for start in self.starts if start.event.name == name), None)


def holds_secret(kind: type[Struct]) -> bool:
    """Return whether a value of this type can contain a `Secret` at any depth."""
    custom_types: list[type] = []

    def collect(custom: type) -> dict[str, object]:
        custom_types.append(custom)
        return {"type": "string"}

    msgspec.json.schema_components((kind,), schema_hook=collect)
    return Secret in custom_types


def schema_problem(kind: type[Struct]) -> str | None:
    """Return which field of a type has no JSON Schema, why, and the remedy; None when all have one."""
    error = _schema_error(kind)
    if error is None:
        return None
    field = _field_without_schema(kind) or kind.__name__
    remedy = (
        "; put the limit on the type that it limits: `Annotated[str, Meta(max_length=9)] | None`"
        if str(error).startswith("Can only set")
        else "; use a type that msgspec supports"
    )
    return f"field {field}: {str(error).splitlines()[-1]}{remedy}"


def _schema_error(kind: object) -> Exception | None:
    try:
        msgspec.json.schema_components((kind,), schema_hook=schema_hook)
    except (TypeError, ValueError, NotImplementedError) as error:
        return error
    return None


def _field_without_schema(kind: object) -> str | None:
    """Return the innermost such field as `Struct.field`."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        for field in msgspec.structs.fields(kind):
            if _schema_error(field.type) is not None:
                return _field_without_schema(field.type) or f"{kind.__name__}.{field.name}"
        return None
    return next(filter(None, map(_field_without_schema, get_args(kind))), None)


def json_schema(kind: type[Struct]) -> Mapping[str, object]:
    """Return the JSON Schema (2020-12) of a Struct, with its components under `$defs`. Computed once."""
    return _cached_schema(kind)


def _build_schema(kind: type[Struct]) -> Mapping[str, object]:
    (schema,), components = msgspec.json.schema_components(
        (kind,), schema_hook=schema_hook, ref_template="#/$defs/{name}"
    )
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    top = components.pop(name) if name in components and not _refers(components, name) else schema
    return {**top, **({"$defs": components} if components else {})}


_cached_schema: Final[Callable[[type[Struct]], Mapping[str, object]]] = cache(_build_schema)


def _refers(components: Mapping[str, object], name: str) -> bool:
    return f'"#/$defs/{name}"'.encode() in msgspec.json.encode(components)
