"""What moored uses: memory, descriptors, threads and tasks, of each of its lives."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TASKS: Final = re.compile(r"^moored_asyncio_tasks(?:\{.*\})? (\S+)$", re.MULTILINE)
_RUNNING: Final = re.compile(r'^moored_containers\{.*state="running".*\} (\S+)$', re.MULTILINE)
_KILOBYTES: Final = re.compile(r"^(Rss|Pss):\s+(\d+) kB$", re.MULTILINE)
_ANSWERS_WITHIN: Final = 10.0


@dataclass(frozen=True)
class Sample:
    at: float
    """Seconds since the beginning."""
    pid: int
    resident: int
    """In kilobytes."""
    proportional: int
    descriptors: int
    threads: int
    tasks: int
    running: int
    """Containers."""

    def __str__(self) -> str:
        return (
            f"{self.at:7.1f} s  pid {self.pid}  RSS {self.resident} kB  PSS {self.proportional} kB"
            f"  {self.descriptors} descriptors  {self.threads} threads  {self.tasks} tasks"
            f"  {self.running} containers run"
        )


async def sample(at: float, pid: int, metrics: str) -> Sample | None:
    """Return what moored uses now; None where it does not run, or is about to end."""
    return await asyncio.to_thread(_sample, at, pid, metrics)


def _sample(at: float, pid: int, metrics: str) -> Sample | None:
    try:
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=_ANSWERS_WITHIN) as answer:
            told = answer.read().decode()
        place = Path(f"/proc/{pid}")
        memory = dict(_KILOBYTES.findall((place / "smaps_rollup").read_text()))
        descriptors, threads = (len(list((place / d).iterdir())) for d in ("fd", "task"))
    except OSError:
        return None
    tasks, running = _TASKS.search(told), _RUNNING.search(told)
    if tasks is None or "Rss" not in memory:
        return None
    return Sample(
        at,
        pid,
        resident=int(memory["Rss"]),
        proportional=int(memory["Pss"]),
        descriptors=descriptors,
        threads=threads,
        tasks=int(float(tasks[1])),
        running=int(float(running[1])) if running else 0,
    )
