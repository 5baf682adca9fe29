"""The programs that containers need on the host, and what they are run with."""

from __future__ import annotations

import os
import shutil
from typing import Final

_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(name: str) -> str | None:
    """Return where a program is: ``name`` may be a path, or stand in ours or the usual places."""
    return shutil.which(name, path=_search_path())


def environment() -> dict[str, str]:
    """Return all that a program gets of ours.

    The rest is no business of containers: runc would tie one to our NOTIFY_SOCKET, for one.
    """
    return {"PATH": _search_path(), "HOME": "/root"}


def _search_path() -> str:
    own = os.environ.get("PATH", "")
    return f"{own}:{_SYSTEM_PATH}" if own else _SYSTEM_PATH
