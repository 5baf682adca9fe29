"""An image's HEALTHCHECK is taken for what docker means by it, and what is none is left out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from moored.containerd.documents import HealthSettings
from moored.containerd.health_checks import health_check
from moored.model.health import LONGEST_TIMEOUT, NO_CHECK, ExecProbe, HealthCheck


def read(**fields: Any) -> HealthCheck:
    return health_check(HealthSettings.model_validate(fields))


def test_a_shells_command_is_run_by_a_shell_and_another_as_it_is() -> None:
    assert read(Test=["CMD-SHELL", "a | b"]).exec == ExecProbe(("/bin/sh", "-c", "a | b"))
    assert read(Test=["CMD", "a", "b"]).exec == ExecProbe(("a", "b"))


@pytest.mark.parametrize("test", [None, [], ["NONE"], ["CMD"], ["CMD", ""], ["CMD-SHELL"], ["x"]])
def test_what_is_no_check_is_left_out(test: list[str] | None) -> None:
    assert read(Test=test, Interval=5) == NO_CHECK
    assert health_check(None) == NO_CHECK


def test_times_are_nanoseconds_and_0_is_unset() -> None:
    found = read(Test=["CMD", "a"], Interval=2_000_000_000, Timeout=0, StartPeriod=-1, Retries=4)
    assert (found.interval, found.timeout, found.start_period, found.retries) == (
        timedelta(seconds=2), None, None, 4,
    )  # fmt: skip


def test_times_out_of_bounds_are_brought_within() -> None:
    found = read(Test=["CMD", "a"], Interval=1, Timeout=10**18)
    assert (found.interval, found.timeout) == (timedelta(milliseconds=100), LONGEST_TIMEOUT)
