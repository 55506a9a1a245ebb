"""Which errors of Redis are outages, and what a client refuses."""

import pytest
from redis import exceptions

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.redis.client import map_redis_errors, open_redis


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("refused"),
        exceptions.TimeoutError("timeout"),
        exceptions.ResponseError("LOADING Redis is loading the dataset in memory"),
        exceptions.ResponseError("Error running script: OOM command not allowed"),
        OSError("network is unreachable"),
    ],
    ids=["refused", "timeout", "loading", "out of memory in a script", "network"],
)
def test_an_outage_is_unavailable(error: Exception) -> None:
    said = r"sessions: Redis does not respond \(\w+\); try again"
    with pytest.raises(Unavailable, match=said) as caught, map_redis_errors("sessions"):
        raise error
    assert (caught.value.stable_code, caught.value.__cause__) == ("unavailable", error)


def test_a_caller_may_choose_message_and_code() -> None:
    mapped = map_redis_errors("claims", detail="send it again", code="claims_unavailable")
    with pytest.raises(Unavailable) as caught, mapped:
        raise exceptions.ConnectionError("refused")
    assert (caught.value.detail, caught.value.stable_code) == ("send it again", "claims_unavailable")


@pytest.mark.parametrize("error", [exceptions.ResponseError("WRONGTYPE"), ValueError("bug")])
def test_a_bug_is_raised_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, map_redis_errors("sessions"):
        raise error
    assert caught.value is error


def test_a_wrong_address_is_refused_without_its_password() -> None:
    with pytest.raises(InvalidInput, match="REDIS_URL is not a Redis address") as caught:
        open_redis("http://user:s3cret@host")
    assert "s3cret" not in str(caught.value)
