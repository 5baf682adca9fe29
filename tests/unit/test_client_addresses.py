"""Addresses are taken as moored listens on them; a wrong one is refused before any call."""

from __future__ import annotations

import pytest

from moorage.addresses import DEFAULT_ADDRESS, target


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (DEFAULT_ADDRESS, "unix:/run/moorage/moored.sock"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("tcp://127.0.0.1:4242", "127.0.0.1:4242"),
        ("tcp://[::1]:4242", "[::1]:4242"),
        ("dns:///moored.example:4242", "dns:///moored.example:4242"),
        ("localhost:4242", "localhost:4242"),
    ],
)
def test_an_address_becomes_what_grpc_calls_it(address: str, expected: str) -> None:
    assert target(address) == expected


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "it must be unix:///PATH or tcp://HOST:PORT"),
        ("two words", "it must be unix:///PATH or tcp://HOST:PORT"),
        ("unix://relative", "the path of a socket must be absolute"),
        ("unix://", "the path of a socket must be absolute"),
        ("unix:///" + "x" * 107, "the path of a socket has at most 107 bytes"),
        ("tcp://localhost", "it must be tcp://HOST:PORT"),
        ("tcp://:1", "it must be tcp://HOST:PORT"),
        ("tcp://h:70000", "it must be tcp://HOST:PORT"),
    ],
)
def test_a_wrong_address_is_refused(address: str, why: str) -> None:
    with pytest.raises(ValueError, match="cannot use address") as refusal:
        target(address)
    assert str(refusal.value).endswith(why)
