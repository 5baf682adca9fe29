"""The networks of the configuration directory, as it is now.

Looked at again for every start: a file is read when it is new or has changed. One that is no
network is named with why, in the log when it is read, and takes no other along. Of two with one
name the first counts, in the order of the files' names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored.network.cni.configuration import (
    LARGEST_FILE,
    ConfigurationFault,
    NetworkList,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import stat_result
    from pathlib import Path

ENDINGS: Final = frozenset({".conflist", ".conf", ".json"})


@dataclass(frozen=True)
class Networks:
    by_name: Mapping[str, NetworkList]
    faults: Mapping[str, str]
    """Why a file, or the whole directory, is not used; by its path."""


@dataclass(frozen=True)
class _Read:
    identity: tuple[int, int, int, int]
    outcome: NetworkList | ConfigurationFault


class Catalogue:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[Path, _Read] = {}

    def look(self) -> Networks:
        """Return what is there. A directory that is missing has no networks, and no fault."""
        try:
            files = sorted(f for f in self._directory.iterdir() if f.suffix in ENDINGS)
        except FileNotFoundError:
            return Networks({}, {})
        except OSError as error:
            return Networks({}, {str(self._directory): f"cannot be read: {error.strerror}"})
        self._known = {file: self._read(file) for file in files}
        return _sorted_out(self._known)

    def _read(self, file: Path) -> _Read:
        before = self._known.get(file)
        try:
            identity = _identity(file.stat())
            if before is not None and before.identity == identity:
                return before
            with file.open("rb") as opened:
                return _Read(identity, parse(opened.read(LARGEST_FILE + 1)))
        except OSError as error:
            return _Read((0, 0, 0, 0), ConfigurationFault(f"cannot be read: {error.strerror}"))
        except ConfigurationFault as fault:
            logger.warning("no network in {}: it {}", file, fault)
            return _Read(identity, fault)


def _identity(seen: stat_result) -> tuple[int, int, int, int]:
    return seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _sorted_out(known: Mapping[Path, _Read]) -> Networks:
    networks: dict[str, NetworkList] = {}
    places: dict[str, Path] = {}
    faults: dict[str, str] = {}
    for file, read in known.items():
        if isinstance(read.outcome, ConfigurationFault):
            faults[str(file)] = str(read.outcome)
        elif first := places.get(read.outcome.name):
            faults[str(file)] = f"is a second network {read.outcome.name!r}, beside {first.name}"
        else:
            networks[read.outcome.name], places[read.outcome.name] = read.outcome, file
    return Networks(networks, faults)
