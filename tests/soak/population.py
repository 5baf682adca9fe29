"""Containers that bear witness: each process writes how it ends, where the test can read it.

A run knows its own name by the path that its /etc/hosts is mounted from. It writes its code into
a file of that name right before it ends with it; whoever is killed has written nothing, or was
killed between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moorage.v1.container_pb2 import (
    RESTART_CONDITION_ON_FAILURE,
    PortMapping,
    RestartPolicy,
    Secret,
)
from tests.real.mounts import bind, volume
from tests.real.specs import shell

if TYPE_CHECKING:
    from pathlib import Path

    from moorage.v1.container_pb2 import ContainerSpec

OBEYED: Final = 77
"""With what a process ends that was asked to."""
PRINTED: Final = 400
"""Lines of a chatty one."""
VOLUMES: Final = tuple(f"soak-{number}" for number in range(4))

_WITNESS: Final = """\
while read -r _ _ _ from at _; do [ "$at" = /etc/hosts ] && me=$from; done </proc/self/mountinfo
me=${me%/hosts}; me=${me##*/}
trap 'echo $? >/witness/$me' EXIT
"""
"""Without a fork, which can fail: then the shell ends by a code of its own, and says that."""
_STAYS: Final = f"trap 'exit {OBEYED}' TERM; sleep 100000 & wait"
_SCRIPTS: Final = {
    "brief": "sleep 0.{tenths}; exit {code}",
    "sudden": "exit {code}",
    "obedient": _STAYS,
    "deaf": "trap '' TERM; sleep 100000 & wait; wait",
    "chatty": f"i=0; while [ $i -lt {PRINTED} ]; do echo $i; i=$((i+1)); done; exit {{code}}",
    "restarting": "sleep 0.{tenths}; exit {code}",
    "bridged": _STAYS,
    "stored": f"echo $me >>/data/all; {_STAYS}",
    "secretive": f"cat /run/secrets/word >/dev/null || exit 1; {_STAYS}",
}
KINDS: Final = tuple(_SCRIPTS)


@dataclass(frozen=True)
class Population:
    """``witness`` is the directory on the host that the processes write into."""

    witness: Path

    def spec(self, name: str, kind: str, number: int) -> ContainerSpec:
        """Return the container of a kind; ``number`` says which code it ends with, and when."""
        code = 1 + number % 70
        script = _SCRIPTS[kind].format(code=code, tenths=number % 10)
        mounts = [bind(self.witness, "/witness"), *_mounts(kind, number)]
        more: dict[str, Any] = {"auto_remove": kind == "sudden" and number % 5 == 0}
        if kind == "restarting":
            policy = RestartPolicy(condition=RESTART_CONDITION_ON_FAILURE, max_retries=2)
            more["restart_policy"] = policy
        if kind == "bridged":
            more |= {"network": "bridge", "ports": [PortMapping(container_port=80)]}
        if kind == "secretive":
            more["secrets"] = [Secret(name="word", value=b"hidden")]
        return shell(_WITNESS + script, name=name, mounts=mounts, **more)

    def ends(self) -> dict[str, int]:
        """Return what each run wrote that came to its end."""
        written = {path.name: path.read_text() for path in self.witness.iterdir()}
        return {run: int(text) for run, text in written.items() if text}


def _mounts(kind: str, number: int) -> list[Any]:
    return [volume(VOLUMES[number % len(VOLUMES)], "/data")] if kind == "stored" else []
