"""Directories that have something of each run below them, by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from moored.model.identity import RunId, parse_run_id

if TYPE_CHECKING:
    from pathlib import Path


def in_directory(root: Path) -> list[RunId]:
    """Return the runs that have something in ``root``. What has another name is not ours."""
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return []
    return sorted(RunId(name) for name in names if parse_run_id(name))
