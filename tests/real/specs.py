"""Containers to ask for: each does one thing that a test can see."""

from __future__ import annotations

from typing import Any, Final

from moorage.v1.container_pb2 import ContainerSpec

IMAGE: Final = "busybox"

QUIET_EXIT: Final = "exit 3"
OBEYS: Final = "trap 'exit 7' TERM; echo ready; sleep 100000 & wait"
"""Ends with 7 on SIGTERM, once it has printed "ready"."""
DEAF: Final = "trap '' TERM; echo ready; sleep 100000 & wait; wait"
"""Ends by SIGKILL only."""


def shell(script: str, **more: Any) -> ContainerSpec:
    """A container whose first process runs ``script``."""
    return ContainerSpec(image=IMAGE, command=["/bin/sh", "-c", script], **more)


def sleeper(**more: Any) -> ContainerSpec:
    """A container that stays until it is ended."""
    return ContainerSpec(image=IMAGE, command=["/bin/sleep", "100000"], **more)
