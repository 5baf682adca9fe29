"""What a moored that has ended wanted may still be made, unless containerd answers promptly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from moored import errors
from moored.containerd.doubts import PROMPT
from moored.keepers.late import LateMaking
from moored.model.resources import Hold, Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED: Final = Resource(Kind.CONTAINER, "web.1", 1)


@dataclass
class Doubted:
    names: set[str] = field(default_factory=set)

    def doubt(self, name: str) -> None:
        self.names.add(name)

    def settle(self, name: str) -> None:
        self.names.discard(name)


@dataclass
class Clock:
    at: float = 0.0

    def seconds(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass
class Records:
    """All there is on record: one container."""

    resources: tuple[Resource, ...]

    def all(self) -> Iterator[Any]:
        yield self


def suspecting(*resources: Resource, silent: bool = False) -> tuple[LateMaking, Doubted, Clock]:
    doubted, clock = Doubted(), Clock()
    records: Any = Records(resources)
    late = LateMaking(records, {Kind.CONTAINER: doubted}, clock, silent=silent)
    late.suspect()
    return late, doubted, clock


def test_only_what_was_never_confirmed_and_can_come_late_is_doubted() -> None:
    held = replace(WANTED, key="held.1", hold=Hold.HELD)
    _, doubted, _ = suspecting(WANTED, held, Resource(Kind.FILES, "files.1", 1))
    assert doubted.names == {"web.1"}


def test_a_prompt_first_answer_ends_the_doubts() -> None:
    late, doubted, _ = suspecting(WANTED)
    with late.asking():
        assert doubted.names == {"web.1"}
    assert not doubted.names


def test_after_a_late_first_answer_they_stay() -> None:
    late, doubted, clock = suspecting(WANTED)
    with late.asking():
        clock.at += PROMPT
    with late.asking():
        pass
    assert doubted.names == {"web.1"}


def test_after_no_answer_they_stay_whatever_follows() -> None:
    late, doubted, _ = suspecting(WANTED)
    with pytest.raises(errors.RuntimeUnreachable), late.asking():
        raise errors.RuntimeUnreachable("cannot list tasks: silent")
    with late.asking():
        pass
    assert doubted.names == {"web.1"}


def test_where_containerd_kept_moored_waiting_before_they_stay() -> None:
    late, doubted, _ = suspecting(WANTED, silent=True)
    with late.asking():
        pass
    assert doubted.names == {"web.1"}
