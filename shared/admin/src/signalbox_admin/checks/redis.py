"""Redis: the version, eviction, persistence, memory and the clock."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from signalbox_admin.checks.clock import assess_clock
from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.errors import InvalidInput
from signalbox_core.redis import OLDEST_REDIS

_FULL: Final = 0.8
_TIMEOUT_S: Final = 5.0
_REPORT: Final = Reporter("Redis")


async def check_redis(url: str | None) -> list[Finding]:
    if not url:
        return [_REPORT.skipped("set REDIS_URL")]
    from redis.exceptions import RedisError

    from signalbox_core.redis.client import open_redis

    try:
        client = open_redis(url)
    except InvalidInput as error:
        return [_REPORT.error("REDIS_URL is not an address of Redis", error.detail)]
    try:
        async with client, asyncio.timeout(_TIMEOUT_S):
            info = await client.info("everything")
            seconds, microseconds = await client.time()
    except (RedisError, OSError, TimeoutError) as error:
        return [
            _REPORT.error(
                f"does not respond: {type(error).__name__}", "check REDIS_URL, the password and the network"
            )
        ]
    return [
        *assess_redis(info),
        assess_clock(_REPORT, seconds + microseconds / 1e6 - time.time()),
    ]


def assess_redis(info: Mapping[str, Any]) -> list[Finding]:
    """Assess the reply to INFO."""
    return [_version(str(info.get("redis_version", ""))), _eviction(info), _persistence(info), _memory(info)]


def _version(version: str) -> Finding:
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is not None and (int(found[1]), int(found[2])) < OLDEST_REDIS:
        needed = ".".join(map(str, OLDEST_REDIS))
        return _REPORT.error(
            f"version {version} is older than {needed} and lacks commands", f"upgrade to {needed} or newer"
        )
    return _REPORT.ok(f"version {version}")


def _eviction(info: Mapping[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy != "noeviction":
        return _REPORT.error(
            f"maxmemory-policy is {policy}: under pressure it deletes streams, claims and nonces",
            "CONFIG SET maxmemory-policy noeviction, and in its configuration file",
        )
    return _REPORT.ok("maxmemory-policy is noeviction")


def _persistence(info: Mapping[str, Any]) -> Finding:
    failed = [
        name
        for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
        if info.get(name, "ok") != "ok"
    ]
    if failed:
        return _REPORT.error(
            f"cannot write to its disk ({', '.join(failed)})", "free space on the disk of Redis; see its log"
        )
    if not int(info.get("aof_enabled", 0)):
        return _REPORT.warning(
            "appendonly is off: a restart loses claims, and streams are rebuilt from Temporal",
            "CONFIG SET appendonly yes, and in its configuration file",
        )
    return _REPORT.ok("appendonly is on")


def _memory(info: Mapping[str, Any]) -> Finding:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not most:
        return _REPORT.ok(f"uses {used / 2**20:.0f} MiB, without a limit")
    detail = f"uses {used / 2**20:.0f} of {most / 2**20:.0f} MiB"
    if used > _FULL * most:
        return _REPORT.warning(f"{detail}: when it is full, nothing is accepted", "raise maxmemory")
    return _REPORT.ok(detail)
