"""Which privileges of root's there are, and what adding and dropping some means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from moored.errors import Violation

ALL: Final = "ALL"
KNOWN: Final = tuple(
    f"CAP_{name}"
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
    ]
)
"""By their numbers, from 0."""
DEFAULT: Final = frozenset(
    f"CAP_{name}"
    for name in [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
"""The set that the big engines settled on."""
_MOST: Final = 64


def normal(name: str) -> str:
    """Return a capability as the kernel calls it, or ALL."""
    upper = name.upper()
    return upper if upper == ALL or upper.startswith("CAP_") else f"CAP_{upper}"


def of_mask(mask: int) -> frozenset[str]:
    """Return the capabilities whose bits are set."""
    return frozenset(name for bit, name in enumerate(KNOWN) if mask >> bit & 1)


def granted(add: Iterable[str], drop: Iterable[str], available: frozenset[str]) -> frozenset[str]:
    """Return the capabilities that remain; ``available`` are those that the host can give.

    As engines have it: of what is added and dropped by name, what is added remains, but for
    what "ALL" has added.
    """
    added, dropped = frozenset(map(normal, add)), frozenset(map(normal, drop))
    if ALL in added:
        return available - dropped
    if ALL in dropped:
        return added
    return (DEFAULT - dropped) | added


def violations(field: str, names: Iterable[str]) -> Iterator[Violation]:
    """Yield each of ``names`` that is no capability, and a list that is too long."""
    listed = list(names)
    if len(listed) > _MOST:
        yield Violation(field, f"are more than {_MOST}")
        return
    for number, name in enumerate(listed):
        if normal(name) not in (ALL, *KNOWN):
            yield Violation(f"{field}[{number}]", f"{name[:64]!r} is no capability")
