"""What things are called: containers, their runs, and how a caller refers to them."""

from __future__ import annotations

import re
from typing import Final, NewType

ContainerId = NewType("ContainerId", str)
"""32 hexadecimal digits, given by us."""

RunId = NewType("RunId", str)
"""A run's name in containerd: ``<container id>.<run>``, at most 76 characters there."""

ID_LENGTH: Final = 32
_ID: Final = re.compile(r"[0-9a-f]{32}")
_PREFIX: Final = re.compile(r"[0-9a-f]{1,32}")
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_RUN: Final = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,9})")


def run_id(container: ContainerId, run: int) -> RunId:
    """Return the name that no other run of any container will ever have."""
    return RunId(f"{container}.{run}")


def parse_run_id(text: str) -> tuple[ContainerId, int] | None:
    """Return whose run ``text`` names, or None for what is not ours."""
    match = _RUN.fullmatch(text)
    return (ContainerId(match[1]), int(match[2])) if match else None


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def is_id_prefix(text: str) -> bool:
    return _PREFIX.fullmatch(text) is not None


def is_volume_name(text: str) -> bool:
    """A volume's name is one directory's, and never one that we keep for ourselves."""
    return _NAME.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """A name is short, harmless in a path, and never mistaken for an id."""
    return _NAME.fullmatch(text) is not None and not is_id(text)
