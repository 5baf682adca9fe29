"""Whatever is done at once, and whatever is killed meanwhile: nothing lost, and nothing left.

``make soak MINUTES=30 SEED=7`` runs it for as long as one likes. A failure prints the seed,
which gives everybody the same deeds again, and where the journal of this time is.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.real.specs import sleeper
from tests.real.wire import Wire
from tests.soak import plan, questions
from tests.soak.callers import Caller
from tests.soak.gauges import Sample, sample
from tests.soak.history import History
from tests.soak.journal import Journal
from tests.soak.population import Population
from tests.soak.trouble import Troublemaker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

CALLERS: Final = 10
SHORT: Final = 12.0
LONGEST_PAUSE: Final = 5.0
"""Seconds between two troubles; less, where it is all over soon."""
SAMPLED_EVERY: Final = 5.0
_DEFECT: Final = re.compile(r"^[0-9: .-]+ (ERROR|CRITICAL) (?!.*(logger=grpc|reason=[A-Z]))")
"""Not: what a caller was told by its reason, and callers that gRPC saw go away."""
LAST: Final = "soak-is-over"
MOST_GROWTH: Final = 16 * 1024
"""Kilobytes, between the middle and the end of the stretch in which moored is spared."""
SLACK: Final = 4
"""Descriptors and tasks that may come and go at rest."""


class Soak:
    def __init__(self, site: Site, seconds: float, seed: int, journal: Journal) -> None:
        self.site: Final = site
        self.seconds: Final = seconds
        self.seed: Final = seed
        self.pause: Final = min(LONGEST_PAUSE, seconds / 8)
        self.journal: Final = journal
        witness = site.directory / "witness"
        witness.mkdir()
        self.population: Final = Population(witness)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.metrics: Final = f"127.0.0.1:{free.getsockname()[1]}"
        self.moored: Final = _start(site, witness, self.metrics)
        self.trouble: Final = Troublemaker(self.moored, site.containerd, journal)
        self.samples: Final[list[Sample]] = []
        self.is_well = False

    async def run(self) -> None:
        """Let everybody at it until the time is over; no call is under way afterwards."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(CALLERS):
                tasks.create_task(self._call(number, over))
            tasks.create_task(self._sample(over))
            tasks.create_task(self._make_trouble(over))

    async def _call(self, number: int, over: asyncio.Event) -> None:
        async with Wire(self.moored.address) as wire:
            caller = Caller(number, wire, self.population, self.journal)
            for deed in plan.deeds(self.seed, number):
                if over.is_set():
                    return
                await caller.do(deed)

    async def _make_trouble(self, over: asyncio.Event) -> None:
        began = time.monotonic()
        try:
            for any_, sparing in plan.troubles(self.seed, self.pause):
                passed = time.monotonic() - began
                if passed + any_.after > self.seconds:
                    break
                await asyncio.sleep(any_.after)
                await self.trouble.make(any_ if 3 * passed < 2 * self.seconds else sparing)
        finally:
            over.set()

    async def _sample(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self.measure()
            try:
                async with asyncio.timeout(SAMPLED_EVERY):
                    await over.wait()
            except TimeoutError:
                continue

    async def measure(self) -> Sample | None:
        """Note what moored uses now."""
        if not self.moored.is_running():
            return None
        found = await sample(self.journal.seconds, self.moored.pid, self.metrics)
        if found is not None:
            self.samples.append(found)
            self.journal.note("gauge", "sample", "taken", about=str(found))
        return found


def _start(site: Site, witness: Path, metrics: str) -> Moored:
    policy = site.directory / "soak.toml"
    policy.write_text(f'[roles.local]\nbind_roots = ["{witness}"]\n')
    return site.start_moored({"policy": str(policy), "metrics_listen": metrics})


@pytest.fixture
def journal() -> Journal:
    """Not where pytest tidies up: a soak is longer than others' patience."""
    return Journal(Path(tempfile.mkdtemp(prefix="moorage-soak-")) / "journal.jsonl")


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    minutes = request.config.getoption("--soak-minutes")
    return 60 * minutes if minutes else SHORT


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--soak-seed"))


@pytest.fixture
async def soak(own_site: Site, seconds: float, seed: int, journal: Journal) -> AsyncIterator[Soak]:
    print(f"soak of {seconds:g} s with seed {seed}; its journal is {journal.path}")
    made = Soak(own_site, seconds, seed, journal)
    yield made
    journal.close()
    if made.is_well:
        shutil.rmtree(journal.path.parent)


@pytest.mark.timeout(0)  # as long as one likes, and then the questions
async def test_whatever_is_done_and_killed_nothing_is_lost_and_nothing_left(soak: Soak) -> None:
    before = soak.site.look()
    async with Wire(soak.moored.address) as wire:
        idle = await soak.measure()
        history = History(wire)
        listening = asyncio.create_task(history.listen(until_removed=LAST))
        await soak.run()
        wrong = [*soak.journal.wrong]
        quiet = questions.Quiet(soak.site, soak.moored, wire)
        wrong += await quiet.states_are_true()
        wrong += await quiet.audit_finds_nothing()
        wrong += await quiet.each_can_be_started_and_removed()
        wrong += await quiet.nothing_is_left()
        wrong += soak.site.changes_since(before)
        await wire.remove((await wire.create(sleeper(name=LAST))).id)
        await asyncio.wait_for(listening, 60)
        rest = await soak.measure()
    wrong += questions.exits_are_true(history, soak.population.ends(), soak.trouble.struck)
    log = soak.journal.path.with_name("moored.log")
    shutil.copy(soak.moored.log, log)
    wrong += [f"moored logged: {line}" for line in _defects(log)]
    _report(soak, history, idle, rest)
    for line in wrong:
        print(f"wrong: {line}")
    assert wrong == []
    assert idle is not None
    assert rest is not None
    _assert_flat(soak, idle, rest)
    soak.is_well = True


def _defects(log: Path) -> list[str]:
    """Return the lines of moored's log that tell of a defect of its own."""
    with log.open(errors="replace") as lines:
        return [line.strip() for line in lines if _DEFECT.search(line)][:20]


def _report(soak: Soak, history: History, idle: Sample | None, rest: Sample | None) -> None:
    for what, count in sorted(soak.journal.counts.items()):
        print(f"{count:7}  {what}")
    exits = sum(map(len, history.exits.values()))
    print(f"{len(history.started)} runs, {exits} exits, {history.revision} revisions")
    print(f"{len(soak.population.ends())} runs told how they would end")
    lives = [list(life) for _, life in itertools.groupby(soak.samples, lambda s: s.pid)]
    print(f"moored lived {len(lives)} times")
    for called, one in (("at first", idle), ("at rest", rest)):
        print(f"{called:9} {one}")
    for called, one in zip(("start", "middle", "end"), _three(lives[-1]), strict=True):
        print(f"{called:9} {one}")


def _three(life: list[Sample]) -> tuple[Sample, Sample, Sample]:
    return life[0], life[len(life) // 2], life[-1]


def _assert_flat(soak: Soak, idle: Sample, rest: Sample) -> None:
    """The last life began under load, and is at rest: it has what the first had at rest."""
    last = [one for one in soak.samples if one.pid == rest.pid]
    assert rest.descriptors <= idle.descriptors + SLACK
    assert rest.tasks <= idle.tasks + SLACK
    assert last[-1].resident - last[len(last) // 2].resident < MOST_GROWTH
