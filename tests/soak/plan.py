"""What each caller does, and what befalls the machine: all from one seed, and nothing else.

The same seed gives each the same deeds in the same order. When they meet is up to the machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.soak.population import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = tuple(f"soak-{number}" for number in range(20))
VERBS: Final = {
    "start_new": 40,
    "start": 12,
    "stop": 8,
    "restart": 6,
    "kill": 6,
    "pause": 5,
    "resume": 7,
    "cleanup": 6,
    "remove": 10,
    "exec": 8,
    "attach": 5,
    "logs": 6,
    "wait": 5,
    "update": 4,
    "rename": 3,
    "inspect": 6,
    "list": 3,
    "watch": 2,
    "stats": 2,
    "create_volume": 2,
    "remove_volume": 2,
    "audit": 1,
}
"""What callers do, and how often beside each other."""
TROUBLES: Final = {
    "kill_moored": 30,
    "end_moored": 10,
    "kill_containerd": 20,
    "stop_containerd": 15,
    "kill_shim": 25,
    "kill_both": 10,
}
SPARING: Final = {"kill_containerd": 25, "stop_containerd": 25, "kill_shim": 30}
"""The same without moored's."""
_LEAVES: Final = (*(8 * ("",)), "cancel", "deadline")


@dataclass(frozen=True)
class Deed:
    verb: str
    name: str
    other: str
    """Another name, for what needs two."""
    kind: str
    number: int
    leaves: str
    """How its caller loses patience: by a cancel, by a deadline, or not."""
    patience: float
    """Seconds until then."""


@dataclass(frozen=True)
class Trouble:
    kind: str
    after: float
    """Seconds since the one before."""
    lasts: float
    """Seconds that what was ended or stopped stays away."""
    choice: float
    """Which of those that there are: 0 is the first, and 1 the last."""


def deeds(seed: int, caller: int) -> Iterator[Deed]:
    """Yield what a caller does, without end."""
    chance = random.Random(f"{seed}/caller/{caller}")
    while True:
        yield Deed(
            verb=chance.choices(tuple(VERBS), tuple(VERBS.values()))[0],
            name=chance.choice(NAMES),
            other=chance.choice(NAMES),
            kind=chance.choice(KINDS),
            number=chance.randrange(10_000),
            leaves=chance.choice(_LEAVES),
            patience=chance.uniform(0.002, 0.6),
        )


def troubles(seed: int, pause: float) -> Iterator[tuple[Trouble, Trouble]]:
    """Yield what happens next, as it is, and as it is where moored is to be spared.

    ``pause``: seconds between two, at most.
    """
    chance = random.Random(f"{seed}/trouble")
    while True:
        (any_,) = chance.choices(tuple(TROUBLES), tuple(TROUBLES.values()))
        (sparing,) = chance.choices(tuple(SPARING), tuple(SPARING.values()))
        after, lasts = (
            chance.uniform(pause / 4, pause),
            chance.choice((0.0, 0.0, chance.uniform(0.1, 1.5))),
        )
        choice = chance.random()
        yield Trouble(any_, after, lasts, choice), Trouble(sparing, after, lasts, choice)
