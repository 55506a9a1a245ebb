"""When a schedule starts runs: cron expressions, their least gap, and corrections for clock changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.contract.scheduled_start import ScheduleTiming, parse_starter_id, schedule_key
from signalbox_gateway.schedules.clock_changes import MAX_CORRECTIONS, clock_changes, clock_corrections
from signalbox_gateway.schedules.cron import least_gap, parse_cron
from signalbox_gateway.schedules.start_times import checked_timing, temporal_spec

NOW = datetime(2026, 11, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_an_expression_is_parsed_field_by_field() -> None:
    cron = parse_cron("*/20 8-10,17 1-31/10 jan,Mar mon-fri")

    assert (cron.minutes, cron.hours) == ({0, 20, 40}, {8, 9, 10, 17})
    assert (cron.days, cron.months, cron.weekdays) == ({1, 11, 21, 31}, {1, 3}, {1, 2, 3, 4, 5})


def test_sunday_is_0_and_7() -> None:
    assert parse_cron("0 0 * * 0").weekdays == parse_cron("0 0 * * 7").weekdays == {0}


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "five fields"),
        ("* * * * * *", "five fields"),
        ("@reboot", "five fields"),
        ("60 * * * *", "0 to 59"),
        ("-1 * * * *", "use a number"),
        ("a * * * *", "0 to 59"),
        ("5/10 * * * *", "a step needs a range, as in */10 or 5-59/10"),
        ("*/0 * * * *", "a step must be 1 or more"),
        ("0 22-2 * * *", "a range must ascend"),
        ("0 0 L * *", "1 to 31"),
        ("0 0 * foo *", "1 to 12 or jan"),
    ],
)
def test_a_malformed_expression_names_the_remedy(text: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_cron(text)

    assert remedy in caught.value.detail
    assert caught.value.field == "cron"


@pytest.mark.parametrize(
    ("texts", "gap"),
    [
        (["* * * * *"], MINUTE),
        (["0 6 * * *"], timedelta(days=1)),
        (["0 6 * * *", "5 6 * * *"], 5 * MINUTE),
        (["59 23 * * *", "0 0 * * *"], MINUTE),
        (["*/15 * * * *"], 15 * MINUTE),
    ],
)
def test_the_least_gap_is_that_of_all_expressions(texts: list[str], gap: timedelta) -> None:
    assert least_gap([parse_cron(text) for text in texts]) == gap


def test_a_date_that_is_rare_matches_and_one_that_never_comes_does_not() -> None:
    assert parse_cron("0 0 29 2 *").has_date(date(2026, 1, 1))
    assert not parse_cron("0 0 30 2 *").has_date(date(2026, 1, 1))


def test_starts_must_not_follow_each_other_too_fast() -> None:
    with pytest.raises(InvalidInput, match="300 s; the minimum is 600 s"):
        checked_timing(ScheduleTiming(cron=("*/5 * * * *",)), min_interval=10 * MINUTE, now=NOW)


def test_an_offset_is_shorter_than_its_interval() -> None:
    with pytest.raises(InvalidInput, match="must be less"):
        checked_timing(ScheduleTiming(every_s=60, offset_s=60), min_interval=MINUTE, now=NOW)


def test_the_changes_of_a_zone_are_found_to_the_second() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    spring, autumn = clock_changes(berlin, NOW, NOW + timedelta(days=365))

    assert spring.at == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert autumn.at == datetime(2027, 10, 31, 1, tzinfo=UTC)
    assert (autumn.before, autumn.after) == (timedelta(hours=2), timedelta(hours=1))


def test_a_skipped_time_gets_a_start_and_a_repeated_one_only_its_first() -> None:
    found = clock_corrections([parse_cron("30 2 * * *")], ZoneInfo("Europe/Berlin"), NOW)

    assert found.starts[:2] == (
        datetime(2027, 3, 28, 1, 30, 1, tzinfo=UTC),
        datetime(2027, 10, 31, 0, 30, 1, tzinfo=UTC),
    )
    assert found.skipped[0] == datetime.fromisoformat("2027-10-31T02:30")
    assert (len(found.starts), len(found.skipped)) == (20, 10)


@pytest.mark.parametrize("text", ["30 * * * *", "0 12 * * *", "30 2 1 1 *"])
def test_an_expression_that_no_change_affects_has_no_corrections(text: str) -> None:
    found = clock_corrections([parse_cron(text)], ZoneInfo("Europe/Berlin"), NOW)

    assert (found.starts, found.skipped) == ((), ())


def test_a_zone_without_changes_has_no_corrections() -> None:
    assert clock_corrections([parse_cron("30 2 * * *")], ZoneInfo("Asia/Ho_Chi_Minh"), NOW).starts == ()


def test_the_number_of_corrections_is_limited() -> None:
    found = clock_corrections([parse_cron("* 2 * * *")], ZoneInfo("Europe/Berlin"), NOW)

    assert 0 < len(found.starts) <= MAX_CORRECTIONS


def test_an_interval_has_no_time_zone_in_temporal() -> None:
    spec = temporal_spec(ScheduleTiming(every_s=3600, offset_s=60, time_zone="Europe/Berlin"), NOW)

    assert [(item.every, item.offset) for item in spec.intervals] == [(timedelta(hours=1), MINUTE)]
    assert spec.time_zone_name is None


def test_the_run_id_comes_from_the_schedule_and_the_time() -> None:
    found = parse_starter_id(schedule_key("Müller & Co", "nightly") + "-2026-11-30T06:00:00Z")

    assert found is not None
    assert (found.tenant, found.schedule_id) == ("Müller & Co", "nightly")
    assert found.run_id == "nightly~20261130T060000Z"


@pytest.mark.parametrize(
    "text", ["acme:run-1", "schedule/acme/nightly", "schedule/a/b/c-2026-11-30T06:00:00Z"]
)
def test_another_workflow_id_is_not_a_starters(text: str) -> None:
    assert parse_starter_id(text) is None
