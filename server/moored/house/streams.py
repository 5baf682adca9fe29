"""What carries bytes between callers and what runs in containers."""

from __future__ import annotations

import asyncio
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING

from moored.house.adapters import CALL_SHARE
from moored.model.execs import ExecId
from moored.oci import exec_process, processes, sessions
from moored.oci.host import Host
from moored.verbs import exec_user
from moored.verbs.attach import Attacher
from moored.verbs.exec_book import ExecBook
from moored.verbs.exec_life import ExecLife
from moored.verbs.exec_probe import CommandProber
from moored.verbs.exec_reasons import Reasons
from moored.verbs.execute import Executor
from moored.verbs.run_streams import RunStreams
from moored.verbs.stdin import Stdins

if TYPE_CHECKING:
    from moored.house.adapters import Adapters
    from moored.house.ground import Ground
    from moored.house.site import Site
    from moored.model.identity import RunId
    from moored.saga import Limits
    from moored.verbs.kill import Killer
    from moored.verbs.run_cgroups import RunCgroups

_END_SHARE = 0.4
"""How much of an undo's time execs have to end in order."""


def run_streams(site: Site, adapters: Adapters, limits: Limits, places: RunCgroups) -> RunStreams:
    life = ExecLife(
        executions=adapters.executions,
        containers=adapters.containers,
        channels=adapters.channels,
        find_user=exec_user.find,
        build_process=partial(exec_process.build, available=Host.look().capabilities),
        kill_members=partial(_kill_members, places),
        reasons=Reasons(adapters.tasks, processes.is_ending),
        gate=asyncio.Semaphore(2 * (os.cpu_count() or 1)),
        tracer=site.tracer,
        clock=site.clock,
        measures=site.measures,
        start_limit=CALL_SHARE * limits.step,
    )
    return RunStreams(
        execs=ExecBook(life=life, patience=_END_SHARE * limits.undo),
        stdins=Stdins(channels=adapters.channels, closer=adapters.executions),
    )


def executor(ground: Ground) -> Executor:
    return Executor(
        registry=ground.registry,
        book=ground.streams.execs,
        owner=ground.owner,
        clock=ground.site.clock,
        new_id=_new_id,
        allowed=ground.site.policies.allowed,
    )


def command_prober(ground: Ground) -> CommandProber:
    return CommandProber(
        book=ground.streams.execs,
        turns=asyncio.Semaphore(os.cpu_count() or 1),
        new_id=_new_id,
        clock=ground.site.clock,
    )


def attacher(ground: Ground, killer: Killer) -> Attacher:
    return Attacher(
        directory=ground.registry,
        output=ground.adapters.output,
        hub=ground.hub,
        streams=ground.streams,
        terminals=ground.adapters.executions,
        killer=killer,
    )


def _kill_members(places: RunCgroups, run: RunId, leader: int) -> int:
    return sessions.kill_members(places.recorded(run), leader)


def _new_id() -> ExecId:
    return ExecId(secrets.token_hex(16))
