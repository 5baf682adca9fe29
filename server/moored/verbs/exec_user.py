"""Who an exec runs as: looked up where its container's processes would look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored import errors
from moored.errors import Violation
from moored.model import users
from moored.storage import rootfs, user_namespaces
from moored.verbs.id_mapping import refuse_unmapped
from moored.verbs.look import text

if TYPE_CHECKING:
    from moored.model.execs import ExecSpec
    from moored.model.users import Identity


def find(spec: ExecSpec, beside: int) -> Identity | None:
    """Return who ``spec.user`` is for the process ``beside`` it; None: as that one. Blocks."""
    if not spec.user:
        return None
    try:
        with rootfs.of_process(beside) as seen:
            passwd, group = text(seen, "/etc/passwd"), text(seen, "/etc/group")
    except rootfs.Unseen:
        passwd, group = "", ""
    try:
        who = users.resolve(spec.user, (), passwd, group)
    except users.Unknown as unknown:
        raise errors.InvalidField(
            f"cannot execute command as user {spec.user!r}: {unknown}",
            Violation("spec.user", str(unknown)),
        ) from unknown
    refuse_unmapped(who, user_namespaces.of_process(beside), "execute command")
    return who
