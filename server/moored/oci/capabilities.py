"""Which privileges of root's a container's processes have.

The set is the one that the big engines settled on. A user other than root gets it as an upper
bound only, for what a setuid program may still gain: just what an execve by that user leaves.
"""

from __future__ import annotations

from typing import Final

DEFAULT: Final = frozenset(
    {
        "CAP_AUDIT_WRITE",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_RAW",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT",
    }
)


def of_process(uid: int, capabilities: frozenset[str] = DEFAULT) -> dict[str, list[str]]:
    """Return the capability sets of a process of ``uid``. Nothing is inheritable or ambient."""
    granted = sorted(capabilities)
    if uid != 0:
        return {"bounding": granted}
    return {"bounding": granted, "effective": granted, "permitted": granted}
