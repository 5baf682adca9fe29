"""Processes, by /proc alone. A zombie has ended: whether somebody reaped it is not ours."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PROC: Final = Path("/proc")
_SHIM: Final = "containerd-shim"
_RSS: Final = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """Yield every process that has a command line: no zombies, no kernel threads."""
    for directory in _PROC.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:  # gone meanwhile
            continue
        if words:
            yield int(directory.name), words


def naming(text: str) -> set[int]:
    """Return the processes on whose command line ``text`` occurs."""
    return {pid for pid, words in command_lines() if any(text in word for word in words)}


def shims(socket: str, instances: Iterable[str]) -> frozenset[str]:
    """Shims of the containerd at ``socket``, in the namespaces of ``instances``."""
    namespaces = frozenset(instances)
    return frozenset(
        f"{pid} {namespace} {_after(words, '-id')}"
        for pid, words in command_lines()
        if _SHIM in words[0] and _after(words, "-address") == socket
        if (namespace := _after(words, "-namespace")) in namespaces
    )


def shim_pids(socket: str) -> set[int]:
    """Return the shims of the containerd at ``socket``."""
    return {
        pid
        for pid, words in command_lines()
        if _SHIM in words[0] and _after(words, "-address") == socket
    }


def shim_of(socket: str, run: str) -> int:
    """Return the pid of the shim that holds ``run``."""
    for pid, words in command_lines():
        is_shim = _SHIM in words[0] and _after(words, "-address") == socket
        if is_shim and _after(words, "-id") == run:
            return pid
    raise LookupError(f"no shim of {run}")


def is_alive(pid: int) -> bool:
    """Whether ``pid`` is there and has not ended: a zombie has."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def is_stopped(pid: int) -> bool:
    """Whether every thread of ``pid`` was stopped by a signal."""
    stat = (_PROC / str(pid) / "stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def end(pid: int, by: signal.Signals = signal.SIGTERM, *, within: float = 10.0) -> None:
    """Send ``pid`` a signal that ends it, and return once it has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, by)
        ended, _, _ = select.select([descriptor], [], [], within)
    finally:
        os.close(descriptor)
    if not ended:
        raise TimeoutError(f"process {pid} goes on after {by.name}")


def resident_kilobytes(pid: int) -> int:
    match = _RSS.search((_PROC / str(pid) / "status").read_text())
    if match is None:
        raise LookupError(f"process {pid} has no memory of its own")
    return int(match[1])


def processor_seconds(pid: int) -> float:
    """Return how much processor time ``pid`` has used, its ended children left out."""
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """Return how many descriptors ``pid`` has open."""
    return sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())


def threads(pid: int) -> int:
    return sum(1 for _ in (_PROC / str(pid) / "task").iterdir())


def net_namespaces(pids: Iterable[int]) -> frozenset[str]:
    """Network namespaces other than the host's that ``pids`` are in, or hold open."""
    host = _target(_PROC / "self" / "ns" / "net")
    held = {
        name
        for pid in pids
        for name in (_target(_PROC / str(pid) / "ns" / "net"), *_open_names(pid))
        if name.startswith("net:[")
    }
    return frozenset(held - {host})


def _open_names(pid: int) -> list[str]:
    try:
        return [_target(descriptor) for descriptor in (_PROC / str(pid) / "fd").iterdir()]
    except OSError:
        return []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _after(words: list[str], flag: str) -> str:
    following = dict(itertools.pairwise(words))
    return following.get(flag, "")
