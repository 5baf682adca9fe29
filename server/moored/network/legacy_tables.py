"""iptables' own tables, from before nftables: another road that forwarded packets pass.

They are read and written as a whole, by their own program. It runs only where the kernel says
that such a table is there: at the first container of a bridge, after the last, and now and then
in between.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from loguru import logger

from moored import errors
from moored.model.ports import Family

_NAMES: Final = {Family.V4: "ip_tables_names", Family.V6: "ip6_tables_names"}
_PROGRAMS: Final = {
    Family.V4: ("iptables-legacy", "iptables"),
    Family.V6: ("ip6tables-legacy", "ip6tables"),
}
_FOR_USERS: Final = "DOCKER-USER"
_FORWARD: Final = "FORWARD"
_WITHIN: Final = 5.0


class LegacyTable:
    """The filter table of one family, in the network namespace of the calling thread."""

    def __init__(self, family: Family) -> None:
        self._family: Final = family
        self._program = ""

    def exists(self) -> bool:
        """Whether there is such a table, and a program that can change it."""
        try:
            names = (Path("/proc/thread-self/net") / _NAMES[self._family]).read_text().split()
        except OSError:  # the kernel has none, or shows none
            return False
        if "filter" not in names:
            return False
        self._program = self._program or next(filter(_is_legacy, _PROGRAMS[self._family]), "")
        if not self._program:
            logger.warning("an iptables table of old is in the kernel, and no program to read it")
        return bool(self._program)

    def drops(self) -> bool:
        """Whether it drops what it does not know."""
        return f"-P {_FORWARD} DROP" in self._lines()

    def speaks_of(self, interface: str) -> bool:
        """Whether a rule lets through, or sends on, what comes from ``interface``."""
        wanted, refused = f" -i {interface} ", (" -j DROP", " -j REJECT")
        return any(wanted in line and not any(r in line for r in refused) for line in self._lines())

    def open_for(self, interface: str, tag: str) -> None:
        """Add the two rules of ours, unless they are there."""
        chain = _FOR_USERS if f"-A {_FORWARD} -j {_FOR_USERS}" in self._lines() else _FORWARD
        for rule in _rules(interface, tag):
            if not self._call("-C", chain, *rule):
                self._change("-I", chain, *rule)

    def close_for(self, interface: str, tag: str) -> None:
        """Take the rules of ours away, wherever they are."""
        chains = {line.split()[1] for line in self._lines() if f"--comment {tag} " in line}
        for chain in sorted(chains):
            for rule in _rules(interface, tag):
                while self._call("-C", chain, *rule):
                    self._change("-D", chain, *rule)

    def __str__(self) -> str:
        return f"{self._family} filter {_FORWARD} (iptables-legacy)"

    def _lines(self) -> list[str]:
        done = self._run("-S")
        return done.stdout.splitlines() if done.returncode == 0 else []

    def _call(self, *arguments: str) -> bool:
        return self._run(*arguments).returncode == 0

    def _change(self, *arguments: str) -> None:
        done = self._run(*arguments)
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise errors.NetworkFailed(f"cannot change {self}: {why[0]}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return _output(self._program, "-w", *arguments)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise errors.NetworkFailed(f"cannot run {self._program}: {error}") from error


def _rules(interface: str, tag: str) -> tuple[tuple[str, ...], ...]:
    ours = ("-m", "comment", "--comment", tag, "-j", "ACCEPT")
    return (("-i", interface, *ours), ("-o", interface, *ours))


def _is_legacy(program: str) -> bool:
    if shutil.which(program) is None:
        return False
    try:
        return "nf_tables" not in _output(program, "-V").stdout
    except (OSError, subprocess.TimeoutExpired):
        return False


def _output(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=_WITHIN,
        check=False,
        stdin=subprocess.DEVNULL,
    )
