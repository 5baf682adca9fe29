"""The small init that a container may have: one of the host's, shown to it in /dev.

It has to be static, for an image has no library for it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from moored.oci.defaults import Json

PLACE: Final = "/dev/init"
"""Where a container sees it: /dev is never the image's, so nothing of the image is changed."""
_NAMES: Final = ("catatonit", "tini-static", "docker-init")
_ELSEWHERE: Final = (Path("/usr/libexec/podman/catatonit"), Path("/usr/libexec/docker/docker-init"))


def find() -> str:
    """Return the path of an init on this host, or an empty text."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    return next((str(path) for path in _ELSEWHERE if path.exists()), "")


def command(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``arguments`` as the init's child."""
    return (PLACE, "--", *arguments)


def mounts(program: str) -> list[Json]:
    """Return how a container is shown the host's ``program``, if there is one."""
    options = ["bind", "ro", "nosuid", "nodev"]
    shown = {"destination": PLACE, "type": "bind", "source": program, "options": options}
    return [shown] if program else []
