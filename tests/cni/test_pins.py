"""A namespace has its name until it is taken away, whoever else has left it by then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from moored.network.cni.pins import Pins
from tests.outside import kernel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

RUN = f"{7:032x}.1"


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path / "cni")


def test_a_pinned_namespace_is_the_same_by_its_name(pins: Pins) -> None:
    pins.pin(RUN, "/proc/self/ns/uts")
    assert pins.is_pinned(RUN)
    assert pins.path(RUN).stat().st_ino == os.stat("/proc/self/ns/uts").st_ino
    assert pins.unpin(RUN)


def test_pinning_again_mounts_nothing_on_top(pins: Pins, tmp_path: Path) -> None:
    pins.pin(RUN, "/proc/self/ns/uts")
    pins.pin(RUN, "/proc/self/ns/ipc")
    assert pins.path(RUN).stat().st_ino == os.stat("/proc/self/ns/uts").st_ino
    assert pins.unpin(RUN)
    assert kernel.mounts(tmp_path) == frozenset()


def test_unpinning_is_idempotent_and_leaves_nothing(pins: Pins, tmp_path: Path) -> None:
    assert pins.unpin(RUN) is False
    pins.pin(RUN, "/proc/self/ns/uts")
    assert pins.unpin(RUN) is True
    assert pins.unpin(RUN) is False
    assert list((tmp_path / "cni").iterdir()) == []
    assert kernel.mounts(tmp_path) == frozenset()


def test_a_name_without_a_namespace_is_taken_away_too(pins: Pins, tmp_path: Path) -> None:
    """As after a crash between the two, or a host that was started anew."""
    (tmp_path / "cni").mkdir()
    pins.path(RUN).touch()
    assert not pins.is_pinned(RUN)
    assert pins.unpin(RUN) is True
    assert not pins.path(RUN).exists()


def test_a_namespace_that_is_none_is_an_error_that_names_both(pins: Pins) -> None:
    with pytest.raises(OSError, match=r"cannot bind /proc/self/ns/none to /.*\.1: No such file"):
        pins.pin(RUN, "/proc/self/ns/none")
    assert pins.unpin(RUN) is True
