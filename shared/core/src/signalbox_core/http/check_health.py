"""`python -m signalbox_core.http.check_health PREFIX`: the health check of the images.

Requests /healthz of the service whose settings have this prefix, on its metrics port if it has one.
"""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

_TIMEOUT_S: Final = 4.0


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Exit codes: 0 the service is alive, 1 it is not or does not respond."""
    (prefix,) = arguments
    connection = http.client.HTTPConnection("127.0.0.1", probe_port(prefix, environ), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"/healthz: {error}\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"/healthz: {status}\n")
    return 0 if status == 200 else 1


def probe_port(prefix: str, environ: Mapping[str, str]) -> int:
    return int(environ.get(f"{prefix}_METRICS_PORT", "0")) or int(environ[f"{prefix}_PORT"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
