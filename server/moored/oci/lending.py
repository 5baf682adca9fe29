"""What this host lends to a container: devices, disks to limit, an init, what CDI says.

Looked at for every start: devices come and go. ``problems`` tells what ``lend`` would miss.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moored.errors import Violation
from moored.model.security import FULL_ACCESS
from moored.oci import cdi, devices, init_program
from moored.oci.devices import Given, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.model.security import Device
    from moored.model.spec import Spec
    from moored.oci.cdi import Edits


@dataclass(frozen=True)
class Lent:
    disks: Mapping[str, Node] = field(default_factory=dict)
    """The host's disks that limits name, by their paths."""
    devices: tuple[Given, ...] = ()
    edits: tuple[Edits, ...] = ()
    init: str = ""
    """The path of an init on the host, where one was asked for."""


def lend(spec: Spec) -> Lent:
    """Return what ``spec`` names and this host has."""
    found = {path: devices.find(path) for _, path in _disks(spec)}
    edits = cdi.look().edits(spec.cdi_devices) if spec.cdi_devices else []
    return Lent(
        disks={path: node for path, node in found.items() if node is not None},
        devices=(*_given(spec), *(given for edit in edits for given in _described(edit))),
        edits=tuple(edits),
        init=init_program.find() if spec.init else "",
    )


def problems(spec: Spec) -> Iterator[Violation]:
    """Yield what ``spec`` names and this host does not have."""
    for place, path in _disks(spec):
        node = devices.find(path)
        if node is None or node.kind != "b":
            yield Violation(place, f"{path!r} is no block device of this host's")
    for number, device in enumerate(spec.devices):
        if not devices.below(device.source):
            yield Violation(f"devices[{number}].source", "is no device of this host's")
    if spec.init and not init_program.find():
        yield Violation("init", "needs catatonit or a static tini, and this host has neither")
    if spec.cdi_devices:
        yield from _undescribed(spec)


def _undescribed(spec: Spec) -> Iterator[Violation]:
    known = cdi.look()
    for number, name in enumerate(spec.cdi_devices):
        place = f"cdi_devices[{number}]"
        if why := known.fault(name):
            yield Violation(place, why)
        for node in (n for edit in known.edits([name]) for n in edit.deviceNodes):
            path = node.hostPath or node.path
            if devices.find(path) is None:
                yield Violation(place, f"needs {path!r}, which is no device of this host's")


def _disks(spec: Spec) -> Iterator[tuple[str, str]]:
    for name in ("blkio_weights", "blkio_throttles"):
        for number, entry in enumerate(getattr(spec.resources, name)):
            yield f"resources.{name}[{number}].path", entry.path


def _given(spec: Spec) -> Iterator[Given]:
    if spec.privileged:
        for node in devices.all_of_host():
            yield Given(node, node.path, FULL_ACCESS)
    for device in spec.devices:
        for node in devices.below(device.source):
            yield Given(node, _destination(device, node), device.access or FULL_ACCESS)


def _destination(device: Device, node: Node) -> str:
    """Return where ``node``, which is ``device`` or lies below it, is seen."""
    place = device.destination or device.source
    relative = posixpath.relpath(node.path, device.source)
    return place if relative == "." else posixpath.join(place, relative)


def _described(edit: Edits) -> Iterator[Given]:
    for wanted in edit.deviceNodes:
        node = devices.find(wanted.hostPath or wanted.path)
        if node is not None:
            own = Node(
                path=node.path,
                kind=node.kind,
                major=node.major,
                minor=node.minor,
                mode=node.mode if wanted.fileMode is None else wanted.fileMode,
                uid=node.uid if wanted.uid is None else wanted.uid,
                gid=node.gid if wanted.gid is None else wanted.gid,
            )
            yield Given(own, wanted.path, wanted.permissions or FULL_ACCESS)
