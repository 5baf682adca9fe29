"""Secrets and configs: files that a container is given, whose content nobody else is shown.

A content that came by value is kept sealed: here is only what nobody can read without the
server's key. One that lies in a file of the host's is read anew for each run.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MODE: Final = 0o444
"""What a secret may be read by if nobody says otherwise: as the engines have it."""
SECRETS: Final = "/run/secrets"
"""Where a secret is whose target is not an absolute path."""
CONFIGS: Final = "/"


@dataclass(frozen=True)
class Secret:
    """A secret, or a config: they differ in where they go by default, and in their limits."""

    name: str
    sealed: str | None = field(default=None, repr=False)
    """The content, sealed. None: there is a ``file``."""
    size: int = 0
    """Bytes of what is sealed."""
    file: str = ""
    """An absolute path on the host."""
    target: str = ""
    mode: int | None = None
    uid: int = 0
    gid: int = 0

    @property
    def permissions(self) -> int:
        return MODE if self.mode is None else self.mode


def place(secret: Secret, below: str) -> str:
    """Return where in the container ``secret`` goes; ``below`` is for what is no absolute path."""
    return posixpath.join(below, secret.target or secret.name)


def lies_below(path: str, roots: Iterable[str]) -> str:
    """Return the innermost of ``roots`` that ``path`` lies below by its name, or an empty text."""
    within = (root for root in roots if path.startswith(f"{root.rstrip('/')}/"))
    return max(within, key=len, default="")
