"""A containerd and whatever is measured on it, taken down whatever happens."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.real.site import Site, build_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def measured(measure: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    """Measure on a site of its own, and say what was left behind."""
    with tempfile.TemporaryDirectory() as scratch:
        site = Site(build_archive(Path(scratch) / "busybox.tar"))
        try:
            asyncio.run(measure(site))
        except BaseException:
            site.demolish()
            raise
        for line in site.close():
            print("left behind:", line)
