"""What a start has to see in the root filesystem: who the process is, and that it can run.

Where nobody can look in, numbers still say who it is, and the runtime says whether it runs.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.errors import Violation
from moored.model import users
from moored.model.mounts import placed
from moored.oci import programs, runtime_spec
from moored.storage import rootfs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.containerd.values import Mount
    from moored.model.spec import Image, Spec
    from moored.model.state import Snapshot
    from moored.model.users import Identity
    from moored.storage.rootfs import Rootfs

PLANNED_HOME: Final = "<home directory>"
"""What stands for what only the image tells."""
_LARGEST_FILE: Final = 4 * 2**20
"""Bytes of passwd and group that are read: what is beyond has no entry."""


def look(snapshot: Snapshot, mounts: Sequence[Mount]) -> Identity:
    """Return who the process is, or raise what certainly keeps it from running. Blocks."""
    spec, image = snapshot.spec, snapshot.image
    try:
        with rootfs.opened(mounts) as seen:
            who = _who(spec, image, seen)
            if not placed(snapshot.id, spec, image):  # or it may be in what is mounted
                _refuse_program(spec, image, seen)
            return who
    except rootfs.Unseen as why:
        logger.debug("cannot look into the root filesystem of {}: {}", snapshot.id, why)
        if (known := planned(spec, image)) is None:
            raise errors.SpecFailed(
                f"cannot find user {runtime_spec.user_of(spec, image)!r}: "
                f"cannot look into the root filesystem: {why}"
            ) from why
        return known


def planned(spec: Spec, image: Image) -> Identity | None:
    """Return who the process is as far as numbers say it; None if a name has to be looked up."""
    user = runtime_spec.user_of(spec, image)
    if users.is_numeric(user) and all(map(users.is_number, spec.supplementary_groups)):
        known = users.resolve(user, spec.supplementary_groups, "", "")
        return replace(known, home="")
    return None


def _who(spec: Spec, image: Image, seen: Rootfs) -> Identity:
    user = runtime_spec.user_of(spec, image)
    passwd, group = text(seen, "/etc/passwd"), text(seen, "/etc/group")
    field, whose = "spec.user", ""
    if image.user and not spec.user:
        whose = f" (unset means the image's {image.user!r})"
    try:
        users.resolve(user, (), passwd, group)
        field, whose = "spec.supplementary_groups", ""
        return users.resolve(user, spec.supplementary_groups, passwd, group)
    except users.Unknown as unknown:
        why = f"{unknown}{whose}"
        raise errors.InvalidField(
            f"cannot run as user {user!r}: {why}", Violation(field, why)
        ) from unknown


def _refuse_program(spec: Spec, image: Image, seen: Rootfs) -> None:
    command = runtime_spec.arguments(spec, image)
    if not command:
        return
    variables = dict(
        entry.split("=", 1) for entry in runtime_spec.environment(spec, image, hostname="")
    )
    directory = posixpath.join("/", spec.working_dir or image.working_dir)
    programs.refuse_unless_executable(command[0], variables["PATH"], directory, seen)


def text(seen: Rootfs, path: str) -> str:
    return seen.read(path, _LARGEST_FILE).decode(errors="surrogateescape")
