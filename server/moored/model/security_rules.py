"""Which wishes about security make sense on any host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from moored.errors import Violation
from moored.model import capabilities, cgroup_places
from moored.model.security import SystemPaths
from moored.model.sharing import shares
from moored.model.spec import Spec

LARGEST_PROFILE: Final = 256 * 1024
"""Bytes."""
_MOST: Final = 256
"""Of entries in any list."""
_ACCESS: Final = re.compile(r"(?!.*(.).*\1)[rwm]{0,3}")
_LARGEST_NUMBER: Final = 2**20 - 1
_SYSCTL: Final = re.compile(r"[a-z0-9_-]+(\.[A-Za-z0-9_*-]+)+")
_LONGEST: Final = 4096
_IPC: Final = frozenset(
    f"kernel.{name}"
    for name in (
        *("msgmax", "msgmnb", "msgmni", "sem"),
        *("shmall", "shmmax", "shmmni", "shm_rmid_forced"),
    )
)
_WORD: Final = r"[a-zA-Z][a-zA-Z0-9_.-]*"
_CDI: Final = re.compile(rf"{_WORD}/{_WORD}=[a-zA-Z0-9][a-zA-Z0-9_.:-]*")
_PROFILE: Final = re.compile(r"[a-zA-Z0-9_./:+-]{1,256}")


def violations(spec: Spec) -> Iterator[Violation]:
    yield from capabilities.violations("capabilities_add", spec.capabilities_add)
    yield from capabilities.violations("capabilities_drop", spec.capabilities_drop)
    yield from _devices(spec)
    yield from _sysctls(spec)
    yield from _paths(spec.system_paths)
    if spec.cgroup_parent and (why := cgroup_places.fault(spec.cgroup_parent)):
        yield Violation("cgroup_parent", why)
    if spec.apparmor_profile and not _PROFILE.fullmatch(spec.apparmor_profile):
        yield Violation("apparmor_profile", "is no profile's name")
    if spec.seccomp.profile and spec.seccomp.unconfined:
        yield Violation("seccomp.profile", "does not go with unconfined")
    elif len(spec.seccomp.profile.encode()) > LARGEST_PROFILE:
        yield Violation("seccomp.profile", f"is larger than {LARGEST_PROFILE} bytes")


def path_fault(path: str) -> str:
    """Return why ``path`` cannot be used as one, or an empty text."""
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        return 'must be an absolute path without ".."'
    return "" if len(path.encode()) < _LONGEST else f"must be shorter than {_LONGEST} bytes"


def _devices(spec: Spec) -> Iterator[Violation]:
    for field, entries in (
        ("devices", spec.devices),
        ("device_rules", spec.device_rules),
        ("cdi_devices", spec.cdi_devices),
    ):
        if len(entries) > _MOST:
            yield Violation(field, f"are more than {_MOST}")
    seen: set[str] = set()
    for number, device in enumerate(spec.devices):
        for name, path in (("source", device.source), ("destination", device.destination)):
            if (path or name == "source") and (why := path_fault(path)):
                yield Violation(f"devices[{number}].{name}", why)
        yield from _access(f"devices[{number}]", device.access)
        destination = device.destination or device.source
        if destination in seen:
            yield Violation(f"devices[{number}].destination", "is used a second time")
        seen.add(destination)
    for number, rule in enumerate(spec.device_rules):
        yield from _access(f"device_rules[{number}]", rule.access)
        for name, value in (("major", rule.major), ("minor", rule.minor)):
            if value is not None and value > _LARGEST_NUMBER:
                yield Violation(f"device_rules[{number}].{name}", "is no device's number")
    for number, device_name in enumerate(spec.cdi_devices):
        if len(device_name) > _MOST or not _CDI.fullmatch(device_name):
            yield Violation(f"cdi_devices[{number}]", 'must be "vendor.com/class=name"')


def _access(field: str, access: str) -> Iterator[Violation]:
    if not _ACCESS.fullmatch(access):
        yield Violation(f"{field}.access", 'must be of "r", "w" and "m", each once')


def _sysctls(spec: Spec) -> Iterator[Violation]:
    if len(spec.sysctls) > _MOST:
        yield Violation("sysctls", f"are more than {_MOST}")
    for name, value in spec.sysctls.items():
        field = f"sysctls[{name[:64]!r}]"
        if len(name) > _MOST or not _SYSCTL.fullmatch(name):
            yield Violation(field, 'is no setting\'s name, such as "net.core.somaxconn"')
        elif "\0" in value or "\n" in value or len(value.encode()) > _LONGEST:
            yield Violation(field, f"needs a value of one line of at most {_LONGEST} bytes")
        elif why := _sysctl_fault(name, spec):
            yield Violation(field, why)


def _sysctl_fault(name: str, spec: Spec) -> str:
    if name.startswith("net."):
        own = not spec.network.startswith(("host", "container:"))
        return "" if own else "is the network's, which this container does not have for itself"
    if name in _IPC or name.startswith("fs.mqueue."):
        own = spec.ipc != "host" and not shares(spec.ipc)
        return "" if own else "is IPC's, which this container does not have for itself"
    return "is the whole host's: no namespace has one of its own"


def _paths(paths: SystemPaths) -> Iterator[Violation]:
    for name, listed in (("masked", paths.masked), ("read_only", paths.read_only)):
        if len(listed) > _MOST:
            yield Violation(f"system_paths.{name}", f"are more than {_MOST}")
        yield from _each(f"system_paths.{name}", listed)


def _each(field: str, listed: Sequence[str]) -> Iterator[Violation]:
    for number, path in enumerate(listed):
        if why := path_fault(path):
            yield Violation(f"{field}[{number}]", why)
        elif path.rstrip("/") in ("", "/proc", "/sys", "/dev"):
            yield Violation(f"{field}[{number}]", "is what no process could do without")
