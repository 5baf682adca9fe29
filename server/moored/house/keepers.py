"""Each keeper, with what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored.containerd import traces
from moored.house.ground import Ground, process_ticks
from moored.house.streams import command_prober
from moored.keepers.aliveness import Aliveness
from moored.keepers.census import Census
from moored.keepers.exits import Exits
from moored.keepers.health import HealthMonitor
from moored.keepers.hints import Hints
from moored.keepers.interference import Strangers
from moored.keepers.late import LateMaking
from moored.keepers.output import OutputKeeper
from moored.keepers.pauses import Pauses
from moored.keepers.probing import Prober
from moored.keepers.recovery import Recovery
from moored.keepers.restarts import Restarts
from moored.keepers.riders import Riders
from moored.keepers.rules import RulesKeeper
from moored.keepers.sweep import Sweep
from moored.keepers.uses import Uses
from moored.keepers.watchman import Watchman
from moored.model.resources import Kind
from moored.verbs.stop import START_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.house.verbs import Verbs
    from moored.model.identity import ContainerId
    from moored.verbs.start import Starter


@dataclass(frozen=True, kw_only=True)
class Keepers:
    exits: Exits
    recovery: Recovery
    sweep: Sweep
    hints: Hints
    restarts: Restarts
    census: Census
    rules: RulesKeeper
    watchman: Watchman
    health: HealthMonitor
    output: OutputKeeper
    uses: Uses
    riders: Riders

    @classmethod
    def build(cls, ground: Ground, exits: Exits, verbs: Verbs) -> Keepers:
        restarts = _restarts(ground, verbs.starter)
        return cls(
            exits=exits,
            restarts=restarts,
            recovery=_recovery(ground, exits, restarts, verbs),
            sweep=Sweep(
                registry=ground.registry,
                releaser=ground.releaser,
                exits=exits,
                restarts=restarts,
                clock=ground.site.clock,
                tracer=ground.site.tracer,
                unfinished=verbs.stopper.unfinished,
                go_on_stopping=_going_on(ground, verbs),
            ),
            hints=_hints(ground),
            rules=RulesKeeper(ground.edge),
            watchman=Watchman(
                auditor=verbs.auditor,
                clock=ground.site.clock,
                measures=ground.site.measures,
                interval=ground.site.settings.audit_interval,
                grace=ground.site.settings.orphan_grace,
            ),
            health=_health(ground),
            output=OutputKeeper(
                registry=ground.registry,
                output=ground.adapters.output,
                rotator=ground.hub.rotator,
                reserve=ground.site.settings.output_reserve,
            ),
            uses=Uses(
                sampler=verbs.sampler,
                measures=ground.site.measures,
                wanted=ground.site.settings.metrics_containers,
            ),
            riders=Riders(
                registry=ground.registry, feed=ground.feed, containers=ground.adapters.containers
            ),
            census=Census(
                directory=ground.registry, feed=ground.feed, measures=ground.site.measures
            ),
        )


def build_exits(ground: Ground) -> Exits:
    return Exits(
        registry=ground.registry,
        tasks=ground.adapters.tasks,
        releaser=ground.releaser,
        aliveness=Aliveness(ground.site.settings.instance),
        memory=ground.memory,
        timers=ground.timers,
        clock=ground.site.clock,
        output=ground.hub,
        tracer=ground.site.tracer,
    )


def _going_on(ground: Ground, verbs: Verbs) -> Callable[[ContainerId], None]:
    def go_on_stopping(container: ContainerId) -> None:
        if ground.registry.peek(container).snapshot.intent == START_AGAIN:
            ground.owner.keep(verbs.restarter.restart(container), f"restart {container}")
        else:
            ground.owner.keep(verbs.stopper.stop(container), f"stop {container}")

    return go_on_stopping


def _recovery(ground: Ground, exits: Exits, restarts: Restarts, verbs: Verbs) -> Recovery:
    return Recovery(
        registry=ground.registry,
        tasks=ground.adapters.tasks,
        releaser=ground.releaser,
        exits=exits,
        restarts=restarts,
        aliveness=exits.aliveness,
        clock=ground.site.clock,
        process_ticks=process_ticks,
        networks=ground.networks,
        go_on_stopping=_going_on(ground, verbs),
        streams=ground.streams,
        late=_late(ground),
        awaits_its_start=partial(traces.awaits_its_start, ground.site.settings.instance),
        tracer=ground.site.tracer,
        rebooted=ground.rebooted,
    )


def _late(ground: Ground) -> LateMaking:
    adapters, site = ground.adapters, ground.site
    doubts = {Kind.CONTAINER: adapters.containers.doubts, Kind.LAYER: adapters.layers.doubts}
    return LateMaking(ground.registry, doubts, site.clock, silent=site.silent)


def _restarts(ground: Ground, starter: Starter) -> Restarts:
    return Restarts(
        registry=ground.registry,
        timers=ground.timers,
        starter=starter,
        owner=ground.owner,
        clock=ground.site.clock,
    )


def _health(ground: Ground) -> HealthMonitor:
    return HealthMonitor(
        registry=ground.registry,
        feed=ground.feed,
        prober=Prober(command_prober(ground), ground.site.tracer),
        measures=ground.site.measures,
        clock=ground.site.clock,
    )


def _hints(ground: Ground) -> Hints:
    tasks, clock = ground.adapters.tasks, ground.site.clock
    return Hints(
        tasks=tasks,
        events=ground.adapters.events,
        pauses=Pauses(registry=ground.registry, tasks=tasks, clock=clock),
        memory=ground.memory,
        strangers=Strangers(registry=ground.registry, tasks=tasks),
        waits=tasks.waits,
    )
