"""A lost ledger made anew: what there is asked for, made records of, and put in its place."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd.connection import Connection
from moored.containerd.containers import Containers
from moored.containerd.layers import Layers
from moored.house.offline import alone, located, offline
from moored.ledger import reading, rebuilding, schema
from moored.ledger.changes import Happening, Put, PutVolume
from moored.model import tidings
from moored.oci import processes
from moored.verbs.adopt import INSTANCE, Evidence, adopt
from moored.verbs.audit import seen

if TYPE_CHECKING:
    from pathlib import Path

    from moored.config import Settings
    from moored.house.offline import Offline
    from moored.house.site import Site
    from moored.verbs.adopt import Adoption

LEDGER: Final = "ledger.db"
_INSTEAD: Final = "a moored that serves has a ledger that can be read"


@dataclass(frozen=True)
class Rebuilt:
    adoption: Adoption
    aside: Path | None
    """Where the ledger is that was there; None: there was none, or nothing was written."""


async def rebuild(settings: Settings, *, force: bool, dry_run: bool) -> Rebuilt:
    """Put a ledger in place that is made of what containerd and the host know.

    ``force``: also where there is one that can be read. Raises SetupRefused and changes nothing
    while a moored serves, or while containerd or some place of the host's cannot be asked.
    """
    address, places = await located(settings)
    path = settings.root / LEDGER
    with alone(settings, address, instead=_INSTEAD):
        if not force:
            _refuse_readable(path)
        async with offline(settings, (), address, places) as house:
            found = await _evidence(settings, house)
        now = datetime.now(UTC)
        adoption = adopt(found, now)
        if dry_run:
            return Rebuilt(adoption, None)
        return Rebuilt(adoption, _write(path, adoption, now))


async def refuse_if_lost(site: Site) -> None:
    """Raise SetupRefused if there is no ledger, and containerd has what only a ledger tells of."""
    path = site.settings.root / LEDGER
    if path.exists() and path.stat().st_size:
        return
    connection = Connection(site.address, namespace=site.settings.instance)
    try:
        ours = f'labels."{INSTANCE}"=={site.settings.instance}'
        runs = [r for r in await Containers(connection).list() if r.labels.get(INSTANCE)]
        layers = await Layers(connection).list([ours])
    finally:
        await connection.close()
    if runs or layers:
        raise errors.SetupRefused(
            f"cannot find the ledger {str(path)!r}, and containerd has {len(runs)} runs and"
            f" {len(layers)} layers of instance {site.settings.instance!r}; restore it from a"
            " backup, or let 'moored ledger adopt' make one of what containerd knows"
        )


def _refuse_readable(path: Path) -> None:
    try:
        known = reading.read(path)
    except schema.Newer as error:
        raise errors.SetupRefused(
            f"cannot adopt: the ledger {str(path)!r} is no wreck: {error}; start that one"
        ) from error
    except reading.FAILURES:
        return
    raise errors.SetupRefused(
        f"cannot adopt: the ledger {str(path)!r} can be read, and has {len(known.containers)}"
        " containers; start moored with it, or say --force to put it aside"
    )


async def _evidence(settings: Settings, house: Offline) -> Evidence:
    if house.silent:
        raise errors.SetupRefused(
            f"cannot adopt: {house.silent}; only containerd knows what there is: start it first"
        )
    adapters = house.adapters
    runs = await adapters.containers.list()
    ours = f'labels."{INSTANCE}"=={settings.instance}'
    layers = await adapters.layers.list([ours])
    tasks = frozenset(task.run for task in await adapters.tasks.list())
    traces = await seen(house.looks)
    for name, why in house.partial.missed.items():
        raise errors.SetupRefused(f"cannot adopt: cannot look at {name}: {why}")
    volumes = {
        name: datetime.fromtimestamp(since, UTC) for name, since in house.volumes.all().items()
    }
    return Evidence(
        instance=settings.instance,
        runs=runs,
        layers=layers,
        tasks=tasks,
        traces=tuple(traces.values()),
        volumes=volumes,
        can_open=lambda sealed: _opens(house, sealed),
    )


def _opens(house: Offline, sealed: str) -> bool:
    try:
        house.adapters.vault.open(sealed)
    except ValueError:
        return False
    return True


def _write(path: Path, adoption: Adoption, now: datetime) -> Path | None:
    volumes = [PutVolume(volume) for volume in adoption.volumes]
    changes: list[Put | PutVolume] = [*_puts(adoption, now), *volumes]
    try:
        return rebuilding.write_new(path, boot_id=processes.boot_id(), changes=changes, at=now)
    except (sqlite3.Error, OSError) as error:
        raise errors.SetupRefused(f"cannot write a new ledger: {error}") from error


def _puts(adoption: Adoption, now: datetime) -> list[Put]:
    """Return the first change of each, with revisions beyond any that was ever given."""
    snapshots = [one.snapshot for one in adoption.adopted]
    # More than one change a millisecond, for all its life, no ledger has seen.
    revision = max([int(now.timestamp() * 1000), *(one.revision for one in snapshots)])
    puts = []
    for number, snapshot in enumerate(snapshots, start=revision + 1):
        after = replace(snapshot, revision=number)
        tiding = tidings.of_container(tidings.CREATED, after, revision=number, at=now)
        puts.append(Put(None, after, (Happening(tiding, "{}"),), now))
    return puts
