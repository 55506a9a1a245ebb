"""Names that exist in the code: settings, metrics, event types, make targets, commands, files."""

import contextlib
import fnmatch
import importlib
import importlib.util
import io
import re
import sys
from functools import cache
from importlib.metadata import entry_points
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry

import signalbox_autoscaler.metrics
import signalbox_autoscaler.settings
import signalbox_gateway.http.metrics
import signalbox_gateway.settings
import signalbox_webhook_receiver.metrics
import signalbox_webhook_receiver.settings
import signalbox_worker.metrics
import signalbox_worker.settings
from signalbox_core.events import CATALOGUE, CloudEvent
from signalbox_core.pipeline import discover
from signalbox_core.pipeline.run import Run
from signalbox_core.pipeline.workflow import steps
from signalbox_core.settings import BACKENDS
from signalbox_pipelines.invoice_import.portal import settings as portal_settings
from support.docs.doc_names import ROOT, TRACKED

FOREIGN_VARIABLES: Final = frozenset(
    {
        "FORWARDED_ALLOW_IPS",  # uvicorn
        # OpenTelemetry's SDK and exporter read these themselves.
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "PR_SET_PDEATHSIG",  # Linux
        "TCP_USER_TIMEOUT",  # Linux
        # Temporal's clients read these themselves.
        "TEMPORAL_CONFIG_FILE",
        "TEMPORAL_DEBUG",
        "TEMPORAL_TLS",
        "TEMPORAL_TLS_CLIENT_CERT_PATH",
        "TEMPORAL_TLS_CLIENT_KEY_PATH",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        "TEMPORAL_TLS_SERVER_NAME",
    }
)
_PLANTED: Final = "tests/unit/workspace/test_docs.py"
_TEXT: Final = (".py", ".js", ".yaml", ".yml", ".toml", ".sh", ".ts", ".lua", "Makefile", "Dockerfile", "run")
_SERVICE: Final = re.compile("SIGNALBOX_(GATEWAY|RECEIVER|WORKER|AUTOSCALER)_")


def _variables(kind: type[msgspec.Struct], prefix: str) -> frozenset[str]:
    return frozenset(
        BACKENDS.get(field.name, f"{prefix}_{field.name.upper()}") for field in msgspec.structs.fields(kind)
    )


SETTINGS: Final = frozenset[str]().union(
    *(
        _variables(module.Settings, module.PREFIX)
        for module in (
            signalbox_gateway.settings,
            signalbox_webhook_receiver.settings,
            signalbox_worker.settings,
            signalbox_autoscaler.settings,
        )
    ),
    _variables(portal_settings.PortalSettings, portal_settings.PREFIX),
)


def _registered(registry: CollectorRegistry) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name, type and labels of every metric, also of those without a series yet."""
    found = {}
    own = (metric for metric in registry._collector_to_names if hasattr(metric, "_name"))
    for metric in own:
        name, kind = getattr(metric, "_name"), getattr(metric, "_type")  # noqa: B009
        full = f"{name}_total" if kind == "counter" else name
        found[full] = (kind, tuple(getattr(metric, "_labelnames")))  # noqa: B009
    return found


def _metric_rows() -> dict[str, tuple[str, tuple[str, ...]]]:
    gateway = signalbox_gateway.http.metrics.Metrics()
    return {
        **_registered(gateway.registry),
        **_registered(signalbox_webhook_receiver.metrics.ReceiverMetrics().registry),
        **_registered(signalbox_autoscaler.metrics.AutoscalerMetrics().registry),
        **_registered(signalbox_worker.metrics.WorkerMetrics().registry),
    }


METRIC_ROWS: Final = _metric_rows()
METRICS: Final = frozenset(METRIC_ROWS)
EVENT_TYPES: Final = frozenset(CATALOGUE) | {
    event.name for spec in discover().values() for event in spec.events
}
MAKE_COMMANDS: Final = frozenset(
    f"make {target}"
    for target in re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
)
PROGRAMS: Final = {
    script.name: script
    for script in entry_points(group="console_scripts")
    if script.value.startswith("signalbox_")
}


@cache
def _help(program: str, *arguments: str) -> str:
    out, argv = io.StringIO(), sys.argv
    sys.argv = [program, *arguments, "--help"]
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            PROGRAMS[program].load()()
    finally:
        sys.argv = argv
    return out.getvalue()


def _subcommands(program: str, *arguments: str) -> list[str]:
    return re.findall(r"^ {4}([a-z][a-z-]*)(?: |$)", _help(program, *arguments), re.MULTILINE)


def _cli_commands() -> frozenset[str]:
    found = {
        f"{program} {name}" for program in ("signalbox", "signalbox-dev") for name in _subcommands(program)
    }
    for name in _subcommands("signalbox-admin"):
        actions = _subcommands("signalbox-admin", name)
        found |= {f"signalbox-admin {name} {action}" for action in actions} or {f"signalbox-admin {name}"}
    return frozenset(found) | PROGRAMS.keys() - {"signalbox"}


CLI_COMMANDS: Final = _cli_commands()


@cache
def _sources() -> str:
    return "\n".join(
        (ROOT / name).read_text()
        for name in TRACKED
        if name.endswith(_TEXT) and name != _PLANTED and (ROOT / name).exists()
    )


@cache
def _words() -> frozenset[str]:
    return frozenset(re.findall(r"[A-Za-z0-9_]+|[a-z][a-z0-9-]+", _sources()))


@cache
def _hyphenated() -> frozenset[str]:
    return frozenset(re.findall(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+", _sources()))


@cache
def _places() -> frozenset[str]:
    """Every tracked file and every folder that holds one."""
    files = [name for name in TRACKED if (ROOT / name).exists()]
    return frozenset(
        "/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 2)
    )


def is_command(name: str) -> bool:
    if name.startswith("make "):
        return name in MAKE_COMMANDS
    if name.startswith("python -m "):
        return _is_module(name.removeprefix("python -m "))
    if " " in name:
        return any(f"{known} ".startswith(f"{name} ") for known in CLI_COMMANDS)
    return name in CLI_COMMANDS or name in _hyphenated()


def is_flag(name: str) -> bool:
    """Whether `program subcommand --option` is in the program's help; further words are arguments."""
    program, *words, option = name.split()
    if program not in PROGRAMS:
        return False
    known: list[str] = []
    for word in words:
        if word not in _subcommands(program, *known):
            break
        known.append(word)
    return bool(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", _help(program, *known)))


def is_path(path: str) -> bool:
    """Whether a path or the end of one (`signalbox_core/errors.py`) exists; `*` is a wildcard.

    Entries of `.gitignore` exist too: they are generated.
    """
    path = path.rstrip("/")
    if path in (ROOT / ".gitignore").read_text().split():
        return True
    if "*" in path:
        return any(fnmatch.fnmatch(f"/{place}", f"*/{path}") for place in _places())
    return any(place == path or place.endswith(f"/{path}") for place in _places())


def is_dotted_name(name: str) -> bool:
    """Whether a name is a module or an attribute path from one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if _is_module(".".join(parts[:length])):
            value: object = importlib.import_module(".".join(parts[:length]))
            for part in parts[length:]:
                if not hasattr(value, part):
                    return False
                value = getattr(value, part)
            return True
    return False


def is_variable(name: str) -> bool:
    """Whether a name is a setting, the end of one (tables may name the prefix once), or in the sources."""
    if name.endswith("_"):
        return any(known.startswith(name) for known in SETTINGS | _words())
    if _SERVICE.match(name):
        return name in SETTINGS
    return (
        name in SETTINGS | FOREIGN_VARIABLES
        or any(known.endswith(f"_{name}") for known in SETTINGS)
        or name in _words()
    )


def is_metric(name: str) -> bool:
    return name in METRICS or any(known.startswith(name) for known in METRICS if name.endswith("_"))


def is_event_type(name: str) -> bool:
    """Whether an event type exists; also true for names of another kind.

    Those have another first word, or are attributes of a run, a step or an event (`run.emit`).
    """
    first, _, last = name.partition(".")
    if first not in {known.partition(".")[0] for known in EVENT_TYPES}:
        return True
    defined = (kind for kind in vars(steps).values() if getattr(kind, "__module__", "") == steps.__name__)
    return name in EVENT_TYPES or any(hasattr(kind, last) for kind in (Run, CloudEvent, *defined))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
