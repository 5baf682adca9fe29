"""Health: successes at once, failures as many as asked for, and nothing else counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model import health_rules
from moored.model.health import (
    NO_CHECK,
    Checkup,
    ExecProbe,
    GrpcProbe,
    Health,
    HealthCheck,
    HealthState,
    HttpProbe,
    Outcome,
    Result,
    TcpProbe,
    at_start,
    checkup,
    judge,
    wait,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CHECK = Checkup(TcpProbe(80), 10 * SECOND, SECOND, 60 * SECOND, 2 * SECOND, retries=3)


def result(outcome: Outcome, after: float = 100) -> Result:
    began = AT + timedelta(seconds=after)
    return Result(began, began + SECOND, outcome)


def judged(*outcomes: Outcome, check: Checkup = CHECK, after: float = 100) -> Health:
    health = at_start(check, AT)
    for outcome in outcomes:
        health = judge(check, health, result(outcome, after), started=AT)
    return health


def test_one_success_makes_it_healthy() -> None:
    health = judged(Outcome.SUCCEEDED, after=1)
    assert (health.state, health.since) == (HealthState.HEALTHY, AT + 2 * SECOND)
    assert health.last == result(Outcome.SUCCEEDED, after=1)


@pytest.mark.parametrize("failure", [Outcome.FAILED, Outcome.TIMED_OUT])
def test_it_is_unhealthy_after_as_many_failures_in_a_row_as_asked_for(failure: Outcome) -> None:
    healthy = judged(Outcome.SUCCEEDED, failure, failure)
    assert (healthy.state, healthy.failures) == (HealthState.HEALTHY, 2)
    assert judged(Outcome.SUCCEEDED, failure, failure, failure).state is HealthState.UNHEALTHY
    again = judged(failure, failure, Outcome.SUCCEEDED, failure, failure)
    assert again.state is HealthState.HEALTHY


def test_failures_in_the_start_period_do_not_count_until_the_first_success() -> None:
    assert judged(*4 * [Outcome.FAILED], after=1) == at_start(CHECK, AT)
    over = judged(Outcome.SUCCEEDED, *3 * [Outcome.FAILED], after=1)
    assert over.state is HealthState.UNHEALTHY


def test_what_could_not_be_found_out_changes_nothing() -> None:
    before = judged(Outcome.SUCCEEDED, Outcome.FAILED)
    assert judge(CHECK, before, result(Outcome.UNDECIDED), started=AT) == before


@given(st.lists(st.sampled_from([Outcome.SUCCEEDED, Outcome.FAILED]), max_size=20))
def test_since_moves_with_the_state_only(outcomes: list[Outcome]) -> None:
    health = at_start(CHECK, AT)
    for outcome in outcomes:
        after = judge(CHECK, health, result(outcome), started=AT)
        assert (after.since is health.since) == (after.state is health.state)
        assert (after.last is health.last) == (after.state is health.state)
        health = after


def test_it_is_probed_at_another_pace_while_it_starts() -> None:
    starting = at_start(CHECK, AT)
    assert wait(CHECK, starting, SECOND) == 2 * SECOND
    assert wait(CHECK, starting, 60 * SECOND) == 10 * SECOND
    assert wait(CHECK, judged(Outcome.SUCCEEDED), SECOND) == 10 * SECOND


def test_a_callers_times_go_over_those_of_the_images_probe_and_not_to_another() -> None:
    image = HealthCheck(exec=ExecProbe(("true",)), interval=7 * SECOND, retries=9)
    mixed = checkup(HealthCheck(interval=5 * SECOND), image)
    assert mixed is not None
    assert (mixed.probe, mixed.interval, mixed.retries) == (ExecProbe(("true",)), 5 * SECOND, 9)
    other = checkup(HealthCheck(tcp=TcpProbe(1)), image)
    assert other is not None
    assert (other.interval, other.retries) == (30 * SECOND, 3)
    assert checkup(HealthCheck(disabled=True), image) is None
    assert checkup(NO_CHECK, NO_CHECK) is None


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (HealthCheck(exec=ExecProbe(())), "exec.args"),
        (HealthCheck(exec=ExecProbe(("a", "\0"))), "exec.args[1]"),
        (HealthCheck(http=HttpProbe(0)), "http.port"),
        (HealthCheck(http=HttpProbe(80, path="x")), "http.path"),
        (HealthCheck(http=HttpProbe(80, path="/a b")), "http.path"),
        (HealthCheck(http=HttpProbe(80, headers=(("a b", ""),))), "http.headers[0].name"),
        (HealthCheck(http=HttpProbe(80, headers=(("a", "\r\nb: c"),))), "http.headers[0].value"),
        (HealthCheck(tcp=TcpProbe(70000)), "tcp.port"),
        (HealthCheck(tcp=TcpProbe(1, host="example")), "tcp.host"),
        (HealthCheck(grpc=GrpcProbe(1, service="x" * 2000)), "grpc.service"),
        (HealthCheck(tcp=TcpProbe(1), interval=timedelta(milliseconds=99)), "interval"),
        (HealthCheck(tcp=TcpProbe(1), timeout=timedelta()), "timeout"),
        (HealthCheck(tcp=TcpProbe(1), retries=1001), "retries"),
        (HealthCheck(disabled=True, retries=1), "disabled"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(check: HealthCheck, field: str) -> None:
    found = [violation.field for violation in health_rules.violations(check)]
    assert found == [f"health_check.{field}"]


def test_times_without_a_probe_are_refused_unless_the_image_has_one() -> None:
    image = HealthCheck(exec=ExecProbe(("true",)))
    times = HealthCheck(retries=2)
    assert [v.field for v in health_rules.without_probe(times, NO_CHECK)] == ["health_check"]
    assert not list(health_rules.without_probe(times, image))
    assert not list(health_rules.without_probe(replace(NO_CHECK, disabled=True), NO_CHECK))
