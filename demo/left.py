"""What is left on the machine of one moored and its containerd, and the end of it.

Looks through the eyes that the tests use: /proc, the cgroup hierarchies, mountinfo, ``ip`` and
the directories. Asks nobody who could be wrong about himself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.outside import kernel, processes
from tests.real.deadlines import until

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNTIME_STATES: Final = Path("/run/containerd/runc")
_END_WITHIN: Final = 10.0


def things(scratch: Path, instance: str) -> dict[str, list[str]]:
    """Return what is left, by kind. A namespace without a name lives in its processes alone."""
    grouped = kernel.grouped_processes([instance])
    return {
        "processes": _listed({*map(str, processes.naming(str(scratch))), *grouped.values()}),
        "mounts": _listed(kernel.mounts(scratch)),
        "cgroups": _listed(map(str, _cgroups(instance))),
        "network namespaces": _listed(kernel.named_net_namespaces([instance])),
        "network links": _listed(kernel.links([instance])),
        "sockets": _listed(kernel.unix_sockets(scratch)),
        "records of the runtime": _listed(map(str, RUNTIME_STATES.glob(instance))),
    }


def end(scratch: Path, instance: str) -> None:
    """Remove all of it, after a failure: nothing of that name is anybody else's."""
    for pid in (*kernel.grouped_processes([instance]), *processes.naming(str(scratch))):
        if pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    until(lambda: not kernel.grouped_processes([instance]), "cgroups are empty", within=_END_WITHIN)
    for point in sorted(kernel.mounts(scratch), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False, timeout=_END_WITHIN)
    for group in _cgroups(instance):
        for place, _, _ in os.walk(group, topdown=False):
            Path(place).rmdir()
    shutil.rmtree(RUNTIME_STATES / instance, ignore_errors=True)
    shutil.rmtree(scratch)


def _cgroups(instance: str) -> list[Path]:
    return [path for top in kernel.hierarchies() if (path := top / instance).exists()]


def _listed(found: Iterable[str]) -> list[str]:
    return sorted(found)
