"""No bytes break a parser, near a good input and far from it.

A selection by hypothesis runs with all tests; ``make fuzz`` goes where coverage leads.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS

RUNS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_each_target_has_something_to_begin_with() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
@RUNS
@given(raw=st.binary(max_size=2000))
def test_any_bytes_are_understood_or_refused(name: str, raw: bytes) -> None:
    TARGETS[name](raw)


@pytest.mark.parametrize("name", TARGETS)
@RUNS
@given(data=st.data())
def test_a_good_input_that_was_damaged_is_understood_or_refused(
    name: str, data: st.DataObject
) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    begin = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(begin, min(len(seed), begin + 40)))
    TARGETS[name](seed[:begin] + data.draw(st.binary(max_size=40)) + seed[end:])
