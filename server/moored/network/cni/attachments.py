"""Attachments: how a container gets into a network that plugins make, and out of it again.

ADD calls the plugins of a network in order, each with the result of the one before; DEL calls
them in reverse, with what the last ADD that succeeded told. What DEL needs is on the disk
before the first ADD. A DEL that fails does not keep the plugins below it from theirs; the
attachment stays on record until all of them have succeeded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from moored.network.cni import documents, groups, results, versions, wishes
from moored.network.cni.plugins import Call, PluginFailed
from moored.network.cni.records import AttachmentId, Record
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opentelemetry.trace import Tracer

    from moored.network.cni.configuration import NetworkList, Plugin
    from moored.network.cni.plugins import Plugins
    from moored.network.cni.records import Records
    from moored.network.cni.results import Result
    from moored.network.cni.wishes import Wish

RESERVED: Final = 0.125
"""Of all the time, what is kept for each plugin that still has to delete after another one."""
LEAST: Final = 0.05
"""Seconds that a plugin gets where those before it left nothing."""


@dataclass(frozen=True)
class Budget:
    """The time that the plugins of one attachment have together."""

    seconds: float
    deadline: float

    @classmethod
    def of(cls, seconds: float) -> Budget:
        return cls(seconds, time.monotonic() + seconds)

    def left(self, *, sparing: int = 0) -> float:
        """Return the seconds that are left, without a share for each of ``sparing`` others."""
        share = self.seconds * RESERVED * sparing
        return max(LEAST, self.deadline - time.monotonic() - share)


class Pins(Protocol):
    """Where plugins find network namespaces."""

    def path(self, run: str) -> Path: ...
    def pin(self, run: str, namespace: str) -> None: ...
    def is_pinned(self, run: str) -> bool: ...
    def unpin(self, run: str) -> bool: ...
    def all(self) -> list[str]: ...


_FIRST: Final = "eth0"


@dataclass(frozen=True, kw_only=True)
class Attachments:
    records: Records
    pins: Pins
    plugins: Plugins
    tracer: Tracer
    add_limit: float
    delete_limit: float
    """Seconds for all plugins of an attachment together, at ADD or CHECK, and at DEL."""

    def known(self) -> list[AttachmentId]:
        """Return every attachment that has left something here.

        A namespace that has a name and no attachment is told as that of a first interface.
        """
        recorded = self.records.all()
        runs = {id_.run for id_ in recorded}
        pinned = (run for run in self.pins.all() if run not in runs)
        return [*recorded, *(AttachmentId(run, _FIRST) for run in pinned)]

    async def add(
        self, id_: AttachmentId, network: NetworkList, *, namespace: str, wish: Wish
    ) -> Result:
        """Attach the container whose namespace is at the path ``namespace``.

        Fails with PluginFailed; ``delete`` then takes back whatever was done.
        """
        budget = Budget.of(self.add_limit)
        record = Record(
            id=id_,
            network=network,
            version=await self._version(network, budget),
            namespace=str(self.pins.path(id_.run)),
            arguments=wishes.argument_text(wish.arguments),
            capabilities=wishes.capability_arguments(wish),
        )
        await in_thread(partial(self._begin, record, namespace))
        return await self._add_all(record, budget)

    async def delete(self, id_: AttachmentId) -> bool:
        """Detach, and return whether there was anything: also after a crash in mid-ADD."""
        record = await in_thread(partial(self._inherit, id_))
        if record is None:
            return await in_thread(partial(self._forget, id_))
        budget, failures = Budget.of(self.delete_limit), list[PluginFailed]()
        previous = record.result if versions.has_check(record.version) else None
        for below, plugin in reversed(list(enumerate(record.network.plugins))):
            try:
                within = budget.left(sparing=below)
                await self._call("DEL", record, plugin, previous, within)
            except PluginFailed as failure:
                failures.append(failure)
        if failures:
            raise _with_the_rest(failures)
        await in_thread(partial(self._forget, id_))
        return True

    async def check(self, id_: AttachmentId) -> bool:
        """Raise PluginFailed if a plugin finds it broken. False: nobody can tell."""
        record = await in_thread(partial(self.records.read, id_))
        if record is None or not record.done or not versions.has_check(record.version):
            return False
        if record.network.disable_check:
            return False
        budget = Budget.of(self.add_limit)
        for plugin in record.network.plugins:
            await self._call("CHECK", record, plugin, record.result, budget.left())
        return True

    async def _add_all(self, record: Record, budget: Budget) -> Result:
        result: Result | None = None
        last = record.network.plugins[-1]
        for plugin in record.network.plugins:
            answer = await self._call("ADD", record, plugin, record.result, budget.left())
            result = _understood(plugin, answer, record)
            record = record.with_result(result.raw, done=plugin is last)
            await in_thread(partial(self.records.update, record))
        assert result is not None
        return result

    async def _version(self, network: NetworkList, budget: Budget) -> str:
        """Return the version to speak: where a network offers several, all plugins are asked."""
        if len(network.offered) == 1:
            return network.offered[0]
        spoken = [
            await self.plugins.supported(plugin.type, budget.left()) for plugin in network.plugins
        ]
        version = versions.highest(network.offered, *spoken)
        if version is None:
            offered = ", ".join(network.offered)
            raise PluginFailed(network.plugins[0].type, f"and others share none of {offered}")
        return version

    async def _call(
        self,
        command: str,
        record: Record,
        plugin: Plugin,
        previous: Mapping[str, Any] | None,
        within: float,
    ) -> bytes:
        facts = {"cni.network": record.network.name, "cni.plugin": plugin.type}
        call = Call(
            command=command,
            plugin=plugin.type,
            variables=_variables(record),
            document=documents.for_attachment(plugin, record, previous),
            within=within,
            spawned=partial(self.records.under_way, record.id),
        )
        with self.tracer.start_as_current_span(f"cni.{command.lower()}", attributes=facts):
            try:
                return await self.plugins.call(call)
            finally:
                self.records.no_longer(record.id)

    def _begin(self, record: Record, namespace: str) -> None:
        self.records.begin(record)
        self.pins.pin(record.id.run, namespace)

    def _inherit(self, id_: AttachmentId) -> Record | None:
        """Return what is on record, once no plugin of an earlier moored is at it any more.

        A namespace that is gone, as all are when the host was started anew, is not named.
        """
        leader = self.records.last_under_way(id_)
        mine = f"CNI_CONTAINERID={id_.run}".encode()
        if leader is not None and any(groups.carries(pid, mine) for pid in groups.living(leader)):
            groups.end_group(leader)
        record = self.records.read(id_)
        if record is None or self.pins.is_pinned(id_.run):
            return record
        return replace(record, namespace="")

    def _forget(self, id_: AttachmentId) -> bool:
        """Forget an attachment, and the name of its namespace with the last of its run."""
        known = self.records.read(id_) is not None
        self.records.remove(id_)
        if self.records.of_run(id_.run):
            return known
        return self.pins.unpin(id_.run) or known


def _understood(plugin: Plugin, answer: bytes, record: Record) -> Result:
    try:
        return results.result(answer, version=record.version, interface=record.id.interface)
    except results.BadAnswer as error:
        raise PluginFailed(plugin.type, str(error)) from error


def _variables(record: Record) -> dict[str, str]:
    given = {
        "CONTAINERID": record.id.run,
        "IFNAME": record.id.interface,
        "NETNS": record.namespace,
        "ARGS": record.arguments,
    }
    return {key: value for key, value in given.items() if value}


def _with_the_rest(failures: list[PluginFailed]) -> PluginFailed:
    first, *rest = failures
    for failure in rest:
        first.add_note(str(failure))
    return first
