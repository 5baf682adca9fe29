"""The law: every usual way to write a signal is understood, and nothing else is."""

from __future__ import annotations

import pytest

from moored.oci import signals


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15),
        ("TERM", 15),
        ("sigterm", 15),
        ("15", 15),
        ("KILL", 9),
        ("SIGSTKFLT", 16),
        ("IOT", 6),
        ("64", 64),
        ("SIGRTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMAX-2", 62),
        ("rtmax", 64),
    ],
)
def test_a_signal_is_known_by_name_and_number(text: str, number: int) -> None:
    assert signals.parse(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "0", "65", "-9", "TERMINATE", "SIG", "15 ", "RTMIN+31", "RTMAX-31", "RTMIN-1", "٩", "9.0"],
)
def test_anything_else_is_no_signal(text: str) -> None:
    assert signals.parse(text) is None


@pytest.mark.parametrize("number", range(1, 65))
def test_the_name_of_a_signal_leads_back_to_it(number: int) -> None:
    assert signals.parse(signals.name(number)) == number
