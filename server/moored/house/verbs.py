"""Each verb, with what it needs."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored.house import streams
from moored.house.adapters import CALL_SHARE
from moored.house.ground import Ground, process_ticks
from moored.house.looks import Looks
from moored.model.identity import ContainerId
from moored.network.naming import Naming
from moored.oci import cgroup_parents, confinement, lending, realtime, runtime_spec
from moored.oci.host import Host
from moored.storage import host_secrets
from moored.verbs.admission import Admission
from moored.verbs.audit import Auditor
from moored.verbs.bring_up import BringUp
from moored.verbs.cleanup import Cleaner
from moored.verbs.create import Creator
from moored.verbs.failures import Failures
from moored.verbs.furnishing import Furnisher
from moored.verbs.gate import Gate
from moored.verbs.holders import HostFiles
from moored.verbs.id_mapping import IdMapper
from moored.verbs.joining import Joiner
from moored.verbs.kill import Killer
from moored.verbs.look import look
from moored.verbs.pause import Pauser
from moored.verbs.plan import Planner
from moored.verbs.prune import Pruner
from moored.verbs.rename import Renamer
from moored.verbs.restart import Restarter
from moored.verbs.secrets import SecretKeeper
from moored.verbs.start import Starter
from moored.verbs.stats import Sampler
from moored.verbs.stop import Stopper
from moored.verbs.surroundings import Surroundings
from moored.verbs.turns import Turns
from moored.verbs.update import Updater
from moored.verbs.volumes import VolumeVerbs
from moored.verbs.wait import Waiter

if TYPE_CHECKING:
    from moored.errors import Violation
    from moored.keepers.exits import Exits
    from moored.model.spec import Spec
    from moored.verbs.attach import Attacher
    from moored.verbs.execute import Executor


@dataclass(frozen=True, kw_only=True)
class Verbs:
    creator: Creator
    planner: Planner
    starter: Starter
    stopper: Stopper
    restarter: Restarter
    killer: Killer
    pauser: Pauser
    renamer: Renamer
    updater: Updater
    waiter: Waiter
    sampler: Sampler
    cleaner: Cleaner
    pruner: Pruner
    auditor: Auditor
    executor: Executor
    attacher: Attacher
    volumes: VolumeVerbs

    @classmethod
    def build(cls, ground: Ground, exits: Exits) -> Verbs:
        creator = Creator(ground.registry, _admission(ground), ground.site.clock, _new_id)
        stopper, turns = _stopper(ground), _turns(ground)
        starter = _starter(ground, creator, exits)
        tasks, clock = ground.adapters.tasks, ground.site.clock
        killer = Killer(turns=turns, tasks=tasks, clock=clock)
        return cls(
            creator=creator,
            planner=Planner(ground.registry, creator, starter.bring_up),
            starter=starter,
            stopper=stopper,
            restarter=_restarter(ground, stopper, starter),
            killer=killer,
            pauser=Pauser(turns=turns, tasks=tasks, clock=clock),
            renamer=Renamer(turns),
            updater=Updater(turns, tasks, Host.look),
            waiter=Waiter(ground.registry),
            sampler=_sampler(ground),
            cleaner=_cleaner(ground, stopper),
            pruner=_pruner(ground),
            auditor=_auditor(ground),
            executor=streams.executor(ground),
            attacher=streams.attacher(ground, killer),
            volumes=VolumeVerbs(ground.mounts.volumes, ground.owner, ground.site.tracer),
        )


def _sampler(ground: Ground) -> Sampler:
    site = ground.site
    return Sampler(directory=ground.registry, instance=site.settings.instance, clock=site.clock)


def _admission(ground: Ground) -> Admission:
    return Admission(
        images=ground.adapters.images,
        runtimes=ground.site.runtimes,
        host_problems=partial(_host_problems, ground),
        host=Host.look,
        allowed=ground.site.policies.allowed,
        joins=_joiner(ground).owners,
        networks=ground.networks,
        check_mounts=ground.mounts.check,
    )


def _host_problems(ground: Ground, spec: Spec, host: Host) -> list[Violation]:
    return [
        *ground.ids.violations(spec),
        *ground.id_support.problems(spec),
        *host.verify(spec),
        *confinement.problems(spec, host),
        *lending.problems(spec),
        *cgroup_parents.problems(spec),
        *realtime.problems(spec),
    ]


def _starter(ground: Ground, creator: Creator, exits: Exits) -> Starter:
    return Starter(
        registry=ground.registry,
        creator=creator,
        bring_up=_bring_up(ground, exits),
        releaser=ground.releaser,
        gate=_gate(ground),
        owner=ground.owner,
        tracer=ground.site.tracer,
        measures=ground.site.measures,
        failpoints=ground.site.failpoints,
        clock=ground.site.clock,
        limits=ground.limits,
        failures=Failures(releaser=ground.releaser, clock=ground.site.clock, timers=ground.timers),
    )


def _gate(ground: Ground) -> Gate:
    settings = ground.site.settings
    width = settings.concurrent_starts or 2 * (os.cpu_count() or 1)
    gate = Gate(width, patience=settings.start_queue_timeout)
    ground.site.measures.watch(
        "moored.start.queue",
        "{start}",
        "Starts that wait for their turn",
        lambda: {"": gate.waiting},
    )
    return gate


def _bring_up(ground: Ground, exits: Exits) -> BringUp:
    site, adapters = ground.site, ground.adapters
    return BringUp(
        instance=site.settings.instance,
        tasks=adapters.tasks,
        containers=adapters.containers,
        surroundings=_surroundings(ground),
        watch=exits,
        runtimes=site.runtimes.by_name,
        look=look,
        build_spec=partial(runtime_spec.build, hooks=site.hooks),
        process_ticks=process_ticks,
        host=Host.look,
        ids=ground.ids,
        lend=lending.lend,
        clock=site.clock,
        task_limit=CALL_SHARE * ground.limits.step,
    )


def _surroundings(ground: Ground) -> Surroundings:
    adapters = ground.adapters
    return Surroundings(
        instance=ground.site.settings.instance,
        layers=adapters.layers,
        writer=HostFiles(
            adapters.generated,
            adapters.output,
            Host.look,
            Naming(),
            adapters.channels,
            adapters.captures,
        ),
        joiner=_joiner(ground),
        furnisher=Furnisher(adapters.shared_memory, _secrets(ground)),
        networks=ground.networks,
        places=ground.mounts,
        mapper=IdMapper(adapters.idmapped),
        clock=ground.site.clock,
    )


def _joiner(ground: Ground) -> Joiner:
    return Joiner(ground.registry, process_ticks)


def _secrets(ground: Ground) -> SecretKeeper:
    allowed = ground.site.policies.allowed
    return SecretKeeper(
        files=ground.adapters.secrets,
        unseal=ground.adapters.vault.open,
        read=lambda path, role, limit: host_secrets.read(path, allowed(role).secret_roots, limit),
    )


def _stopper(ground: Ground) -> Stopper:
    return Stopper(
        registry=ground.registry,
        tasks=ground.adapters.tasks,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
        kill_limit=ground.limits.undo,
    )


def _turns(ground: Ground) -> Turns:
    return Turns(
        registry=ground.registry,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _restarter(ground: Ground, stopper: Stopper, starter: Starter) -> Restarter:
    return Restarter(
        registry=ground.registry,
        stopper=stopper,
        starter=starter,
        releaser=ground.releaser,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _pruner(ground: Ground) -> Pruner:
    return Pruner(
        registry=ground.registry,
        releaser=ground.releaser,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _auditor(ground: Ground) -> Auditor:
    looks = Looks(ground.site.settings.instance, ground.adapters, ground.networks)
    return Auditor(
        directory=ground.registry,
        releaser=ground.releaser,
        looks=looks.all,
        owner=ground.owner,
        tracer=ground.site.tracer,
    )


def _cleaner(ground: Ground, stopper: Stopper) -> Cleaner:
    return Cleaner(
        registry=ground.registry,
        stopper=stopper,
        releaser=ground.releaser,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _new_id() -> ContainerId:
    return ContainerId(secrets.token_hex(16))
