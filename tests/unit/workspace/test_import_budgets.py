"""What the programs import when they start: a budget of modules for each, and libraries that are for others.

Modules of libraries are counted, since time depends on the machine. Our own do not count, nor do those of the
standard library, which differ between versions of Python, nor those of OpenTelemetry, which redis imports
where it is installed.
"""

import subprocess
import sys
from collections import Counter
from typing import Final

import pytest

_COUNT: Final = "import sys, {module}; print(*sys.modules)"
_IGNORED: Final = frozenset({*sys.stdlib_module_names, "opentelemetry", "psutil"})
_HEAVY: Final = (
    "google.cloud",
    "PIL",
    "pypdfium2",
    "phonenumbers",
    "lxml",
    "fontTools",
    "fpdf",
)
"""Libraries that no program needs before it works; a pipeline's activities import what they use."""


@pytest.mark.parametrize(
    ("module", "budget", "others"),
    [
        pytest.param("signalbox_gateway.__main__", 1040, ("temporalio.worker",), id="gateway"),
        pytest.param("signalbox_webhook_receiver.__main__", 710, ("temporalio", "fido2"), id="receiver"),
        pytest.param("signalbox_worker.__main__", 765, ("limits", "jwt", "google.pubsub_v1"), id="worker"),
        pytest.param(
            "signalbox_autoscaler.__main__",
            550,
            ("temporalio.worker", "limits", "google.pubsub_v1"),
            id="autoscaler",
        ),
        pytest.param("signalbox_devstack.stack.cli", 100, ("temporalio", "rich", "starlette"), id="dev"),
        pytest.param("signalbox_devstack.demo.__main__", 190, ("temporalio", "starlette"), id="demo"),
        pytest.param(
            "signalbox_devstack.emulators.pubsub.__main__",
            460,
            ("temporalio", "starlette"),
            id="pubsub",
        ),
        pytest.param("signalbox_client.cli", 120, ("temporalio", "grpc", "cryptography"), id="signalbox"),
        pytest.param("signalbox_admin.cli", 20, ("temporalio", "grpc", "redis"), id="signalbox-admin"),
    ],
)
def test_a_program_imports_no_more_than_it_uses(module: str, budget: int, others: tuple[str, ...]) -> None:
    program = [sys.executable, "-c", _COUNT.format(module=module)]
    imported = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    packages = Counter(name.partition(".")[0] for name in imported)
    counted = {
        name: count
        for name, count in packages.items()
        if name.strip("_") not in _IGNORED and not name.startswith("signalbox_")
    }

    largest = ", ".join(f"{name} {count}" for name, count in Counter(counted).most_common(8))
    assert sum(counted.values()) <= budget, (
        f"{module} imports {sum(counted.values())} modules of libraries, its budget is {budget} ({largest})."
        " Import what only some paths use in a module that only these paths import; or raise the budget"
    )
    assert [name for name in imported if name in (*_HEAVY, *others)] == []
