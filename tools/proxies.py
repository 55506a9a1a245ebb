"""Make nginx and HAProxy available to the tests of docs/reverse-proxy.md, or print why they are skipped.

Never fails the build.
"""

import shutil
import sys

from apt import install, why_not_installable

PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}


def main() -> int:
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        print("proxy tests: using the installed nginx and HAProxy", flush=True)
        return 0
    print(f"proxy tests: installing {', '.join(missing)} with apt-get", flush=True)
    hindrance = why_not_installable(missing) or install(missing)
    if hindrance is not None:
        print(
            f"proxy tests will be skipped: {hindrance}. Install {', '.join(missing)} to run them.", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
