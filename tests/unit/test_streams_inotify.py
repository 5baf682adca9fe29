"""A watch tells one change, at once, and is gone; every refusal is an error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from moored.streams.inotify import Inotify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def notifier() -> Iterator[Inotify]:
    notifier = Inotify()
    yield notifier
    notifier.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "stdout"
    made.touch()
    return made


def append(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"x")


def test_nothing_is_told_before_something_changed(notifier: Inotify, file: Path) -> None:
    notifier.watch(str(file))
    assert notifier.fired() == []


def test_a_change_is_told_once_however_often_it_happens(notifier: Inotify, file: Path) -> None:
    number = notifier.watch(str(file))
    append(file)
    append(file)
    assert set(notifier.fired() or ()) == {number}
    append(file)
    assert notifier.fired() == []


def test_a_file_can_be_watched_again_under_another_number(notifier: Inotify, file: Path) -> None:
    first = notifier.watch(str(file))
    append(file)
    notifier.fired()
    second = notifier.watch(str(file))
    append(file)
    assert set(notifier.fired() or ()) == {second}
    assert first != second


def test_losing_its_name_is_a_change_of_a_file_that_is_open(notifier: Inotify, file: Path) -> None:
    number = notifier.watch(str(file))
    with file.open("ab"):
        file.unlink()
        assert set(notifier.fired() or ()) == {number}


def test_a_dropped_watch_tells_no_change(notifier: Inotify, file: Path) -> None:
    number = notifier.watch(str(file))
    notifier.unwatch(number)
    notifier.fired()
    append(file)
    assert notifier.fired() == []
    notifier.unwatch(number)


def test_any_name_that_a_file_can_have_can_be_watched(notifier: Inotify, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"odd \xff name")
    odd.touch()
    number = notifier.watch(str(odd))
    append(odd)
    assert set(notifier.fired() or ()) == {number}


def test_a_file_that_is_not_there_cannot_be_watched(notifier: Inotify, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        notifier.watch(str(tmp_path / "gone"))
