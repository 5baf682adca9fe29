"""The networks of the configuration directory, as attachers of runs.

What a run acquires here is its attachment: on record before the first plugin is called, and
released by DEL, by this process or by any later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loguru import logger

from moored import errors
from moored.model.network import Attached, Dns
from moored.model.resources import Kind, Resource
from moored.network.attaching import Left, Reservation
from moored.network.cni import results, wishes
from moored.network.cni.plugins import PluginFailed
from moored.network.cni.records import AttachmentId, RecordUnreadable
from moored.network.cni.wishes import Wish
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moored.errors import Violation
    from moored.model.network import Attachment
    from moored.network.attaching import AttachRequest, Way
    from moored.network.cni.attachments import Attachments
    from moored.network.cni.catalogue import Catalogue
    from moored.network.cni.checks import Checks
    from moored.network.cni.results import Result
    from moored.network.cni.upkeep import Upkeep
    from moored.network.sandboxes import Sandbox


@dataclass(frozen=True)
class PluginNetworks:
    catalogue: Catalogue
    attachments: Attachments
    checks: Checks
    upkeep: Upkeep

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.catalogue.look().by_name)

    @property
    def faults(self) -> Mapping[str, str]:
        """Why files of the configuration directory are no networks, by their path."""
        return self.catalogue.look().faults

    @property
    def ways(self) -> Mapping[Kind, Way]:
        return {Kind.ATTACHMENT: self._detach}

    async def left(self) -> Iterable[Left]:
        found = await in_thread(self.attachments.known)
        return [Left(Kind.ATTACHMENT, id_.key, id_.run) for id_ in found]

    def violations(self, asked: Attachment) -> Iterator[Violation]:
        network = self.catalogue.look().by_name.get(asked.name)
        if network is not None:
            yield from wishes.refusals(_wish(asked, Dns()), network)
            yield from wishes.unnamed(asked)

    def planned(self, request: AttachRequest) -> tuple[Resource, ...]:
        return (Resource(Kind.ATTACHMENT, _id(request).key, request.run),)

    def reserve(self, request: AttachRequest) -> Reservation:
        """Reserve nothing: whoever gives addresses here is a plugin, and does it at ADD."""
        asked = request.asked
        attached = Attached(network=asked.name, interface=request.interface, ports=asked.ports)
        return Reservation(self.planned(request), attached)

    def settle(self, reservation: Reservation) -> None:
        pass

    def prepare(self) -> None:
        pass

    async def attach(self, sandbox: Sandbox, request: AttachRequest, planned: Attached) -> Attached:
        name = request.asked.name
        network = self.catalogue.look().by_name.get(name)
        if network is None:
            raise errors.NetworkFailed(
                f"cannot attach to network {name!r}: its configuration is gone", network=name
            )
        try:
            result = await self.attachments.add(
                _id(request),
                network,
                namespace=sandbox.path,
                wish=_wish(request.asked, request.dns),
            )
        except PluginFailed as failure:
            raise _failed(f"cannot attach to network {name!r}", name, failure) from failure
        except OSError as error:
            raise errors.NetworkFailed(
                f"cannot attach to network {name!r}: {error}", network=name
            ) from error
        return _attached(planned, result)

    async def ready(self, asked: Attachment) -> None:
        network = self.catalogue.look().by_name.get(asked.name)
        if network is None:
            return
        try:
            await self.upkeep.status(network)
        except PluginFailed as failure:
            raise _failed(f"cannot use network {asked.name!r}", asked.name, failure) from failure

    async def recall(self, request: AttachRequest, planned: Attached) -> Attached:
        """Return an interface by what its plugins said, in whichever process that was."""
        try:
            record = self.attachments.records.read(_id(request))
        except RecordUnreadable:
            return planned
        if record is None or record.result is None:
            return planned
        return _attached(planned, results.of_document(record.result, interface=request.interface))

    async def check(self, request: AttachRequest) -> str:
        try:
            await self.checks.check(_id(request))
        except (PluginFailed, RecordUnreadable) as failure:
            return str(failure)
        return ""

    async def collect(self) -> None:
        """Have all networks forget what is not attached: for those that nobody else uses."""
        for name, network in self.catalogue.look().by_name.items():
            for failure in await self.upkeep.collect(network):
                logger.warning("network {} keeps what is not attached any more: {}", name, failure)

    async def _detach(self, key: str) -> bool:
        id_ = AttachmentId.parse(key)
        try:
            async with self.checks.kept_out(id_.run):
                return await self.attachments.delete(id_)
        except PluginFailed as failure:
            raise _failed(f"cannot detach {key}", "", failure) from failure


def _id(request: AttachRequest) -> AttachmentId:
    return AttachmentId(request.run_id, request.interface)


def _wish(asked: Attachment, dns: Dns) -> Wish:
    return Wish(
        addresses=asked.addresses,
        mac=asked.mac_address,
        ports=tuple(wishes.ports(asked.ports)),
        bandwidth=asked.bandwidth,
        aliases=asked.aliases,
        arguments=asked.arguments,
        dns=dns,
    )


def _attached(planned: Attached, result: Result) -> Attached:
    return Attached(
        network=planned.network,
        interface=planned.interface,
        ports=planned.ports,
        addresses=result.addresses,
        gateways=result.gateways,
        mac_address=result.mac,
        dns=result.dns,
    )


def _failed(what: str, network: str, failure: PluginFailed) -> errors.NetworkFailed:
    """Say what a plugin said, with its code in the facts, and for the caller what a retry does."""
    complaint = failure.complaint
    facts = {"network": network, "plugin": failure.plugin}
    if complaint is not None:
        facts |= {"cni_code": str(complaint.code), "cni_message": complaint.message}
        facts |= {"cni_details": complaint.details}
    known = {key: value for key, value in facts.items() if value}
    error = errors.NetworkFailed(f"{what}: {failure}", **known)
    for note in getattr(failure, "__notes__", ()):
        error.add_note(note)
    return error
