"""The OCI runtime spec of one run: what runc, or any runtime like it, is told to do.

A pure function of its request. What a caller may get wrong was refused before; an error here
is the service's, or the image's.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.model.sharing import HOST, shares
from moored.oci import (
    confinement,
    defaults,
    devices,
    edits,
    host_hooks,
    init_program,
    mounts,
    process,
    resources,
    sharing,
    user_namespace,
)
from moored.oci.host import NAMESPACES, CgroupMode, Host
from moored.oci.lending import Lent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moored.model.id_maps import IdMaps
    from moored.model.identity import ContainerId, RunId
    from moored.model.spec import Image, Spec
    from moored.model.users import Identity
    from moored.oci.defaults import Json
    from moored.oci.host_hooks import HostHook
    from moored.oci.mounts import Sourced

VERSION: Final = "1.0.2"
ROOT: Final = "rootfs"
"""Relative to the bundle."""
_SHORT_ID: Final = 12


@dataclass(frozen=True)
class SpecRequest:
    container: ContainerId
    run: RunId
    spec: Spec
    image: Image
    cgroup: str
    """Absolute, the same in every hierarchy."""
    files: Mapping[str, str]
    """Files of the host's to show in the container: destination -> path on the host."""
    host: Host
    who: Identity | None
    """None: only planned, and its name was not looked up."""
    namespaces: Mapping[str, str] = field(default_factory=dict)
    """Of other containers: kind -> where it is."""
    uts_owner: tuple[ContainerId, Spec] | None = None
    """Whose host name it has, where that is another container's."""
    shared_memory: str = ""
    """A directory of the host's to be /dev/shm. Empty: a new one."""
    lent: Lent = field(default_factory=Lent)
    """What of the host's the spec names, and the host has."""
    mounts: Sequence[Sourced] = ()
    """All others, each after what it may lie in."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """As ``files``, but to be read only."""
    maps: IdMaps | None = None
    """Of its own user namespace; None: it has none."""


def build(request: SpecRequest, hooks: Sequence[HostHook] = ()) -> bytes:
    """Return the runtime spec as JSON. ``hooks`` are the host's, for whom they are meant."""
    spec: Json = {
        "ociVersion": VERSION,
        "process": _process(request),
        "root": {"path": ROOT, "readonly": request.spec.read_only_rootfs},
        "mounts": [
            *user_namespace.mounts(
                defaults.mounts(privileged=request.spec.privileged), request.maps
            ),
            sharing.shared_memory(request.spec, request.shared_memory),
            *mounts.ordered(request.files, request.mounts),
            *defaults.binds(request.secrets, "ro", *defaults.SAFE),
            *init_program.mounts(request.lent.init),
        ],
        "linux": _linux(request),
    }
    if not (_on_host_network(request) or shares(request.spec.uts)):
        spec["hostname"] = _hostname(request)
    edits.apply(request.lent.edits, spec)
    args = arguments(request.spec, request.image)
    about = host_hooks.subject(args, request.spec.labels, request.mounts)
    host_hooks.apply(hooks, about, spec)
    return json.dumps(spec, separators=(",", ":"), ensure_ascii=False).encode()


def arguments(spec: Spec, image: Image) -> tuple[str, ...]:
    """Return the command line; empty if neither the spec nor the image names a command."""
    if spec.command:
        return (*spec.command, *spec.args)
    return (*image.entrypoint, *(spec.args or image.args))


def environment(spec: Spec, image: Image, hostname: str) -> list[str]:
    """Return the environment: ours, overridden by the image's, overridden by the spec's."""
    terminal = ("TERM=xterm",) if spec.tty else ()
    entries = (f"PATH={defaults.PATH}", f"HOSTNAME={hostname}", *terminal, *image.env, *spec.env)
    # An image may hold entries without a value: they set nothing.
    return [f"{key}={value}" for key, value in dict(_pairs(entries)).items()]


def hostname(
    container: ContainerId, spec: Spec, host: Host, owner: tuple[ContainerId, Spec] | None = None
) -> str:
    """Return what the container's processes see as the name of their machine.

    ``owner`` is whose it is, where that is another container's.
    """
    if owner is not None:
        return hostname(*owner, host)
    if spec.network == "host" or spec.uts == HOST:
        return host.name
    return spec.hostname or container[:_SHORT_ID]


def _hostname(request: SpecRequest) -> str:
    return hostname(request.container, request.spec, request.host, request.uts_owner)


def user_of(spec: Spec, image: Image) -> str:
    """Return whom the process runs as, in the words of the spec or the image."""
    return spec.user or image.user or "0"


def _pairs(entries: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(key, value) for key, has, value in (e.partition("=") for e in entries) if has and key]


def _on_host_network(request: SpecRequest) -> bool:
    return request.spec.network == "host"


def _process(request: SpecRequest) -> Json:
    spec, image = request.spec, request.image
    args = arguments(spec, image)
    if not args:
        raise errors.SpecFailed(
            f"cannot build the runtime spec of {request.run!r}: "
            f"neither the spec nor image {image.name!r} names a command"
        )
    name = _hostname(request)
    shown: Json = {
        "terminal": spec.tty,
        "user": process.user(request.who, user_of(spec, image), spec.umask),
        "args": init_program.command(args) if request.lent.init else args,
        "env": process.with_home(environment(spec, image, name), request.who),
        "cwd": posixpath.join("/", spec.working_dir or image.working_dir),
        **confinement.of_process(spec, request.who.uid if request.who else 0, request.host),
    }
    if spec.rlimits:
        shown["rlimits"] = process.rlimits(spec.rlimits)
    if (score := process.oom_score(spec, request.host)) is not None:
        shown["oomScoreAdj"] = score
    return shown


def _linux(request: SpecRequest) -> Json:
    spec, host = request.spec, request.host
    linux: Json = {
        "cgroupsPath": request.cgroup,
        "resources": _resources(request),
        "namespaces": _namespaces(request),
        **confinement.paths(spec, host),
        **user_namespace.mappings(request.maps),
    }
    if given := request.lent.devices:
        linux["devices"] = [device.device for device in given]
    settings = user_namespace.sysctls(confinement.sysctls(spec, host), spec, request.maps)
    if settings:
        linux["sysctl"] = settings
    if propagation := mounts.propagation(request.mounts):
        linux["rootfsPropagation"] = propagation
    if (filter_ := confinement.filter_of(spec, host)) is not None:
        linux["seccomp"] = filter_
    return linux


def _resources(request: SpecRequest) -> Json:
    def number_of(path: str) -> tuple[int, int]:
        disk = request.lent.disks[path]
        return disk.major, disk.minor

    limits = resources.translate(request.spec.resources, request.host, number_of)
    return {"devices": _device_rules(request), **limits}


def _device_rules(request: SpecRequest) -> list[Json]:
    if request.spec.privileged:
        return [devices.EVERYTHING]
    return [
        *defaults.DEVICES,
        *(given.rule for given in request.lent.devices),
        *map(devices.rule, request.spec.device_rules),
    ]


def _namespaces(request: SpecRequest) -> list[Json]:
    kinds = [k for k in NAMESPACES if k != "network" or not _on_host_network(request)]
    # On v1 the container sees its place in the host's tree, as the big engines have it.
    if request.host.cgroup_mode is CgroupMode.V2:
        kinds.append("cgroup")
    if request.maps:
        kinds.append("user")
    return sharing.namespaces(request.spec, kinds, request.namespaces)
