"""Devices by their CDI names: what the host's specifications say that a container needs for one.

A specification lies in /etc/cdi or /var/run/cdi, in JSON or YAML; the later directory wins
where both have a device. They are the administrator's: what is in them is trusted, and a
broken one only hides its own devices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from loguru import logger
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DIRECTORIES: Final = (Path("/etc/cdi"), Path("/var/run/cdi"))
_SUFFIXES: Final = (".json", ".yaml", ".yml")


class _Known(BaseModel):
    """Fields of a newer version are left alone: what they add, this server cannot do."""

    model_config = ConfigDict(frozen=True)


def _listed(value: object) -> object:
    return [] if value is None else value


def _mode(value: object) -> object:
    """Take YAML's newer octals too, which its older readers leave as texts."""
    return int(value, 8) if isinstance(value, str) else value


class Node(_Known):
    path: str
    hostPath: str = ""  # noqa: N815  # the format's names
    type: str = ""
    major: int | None = None
    minor: int | None = None
    fileMode: Annotated[int | None, BeforeValidator(_mode)] = None  # noqa: N815
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class Mount(_Known):
    hostPath: str  # noqa: N815
    containerPath: str  # noqa: N815
    type: str = ""
    options: Annotated[list[str], BeforeValidator(_listed)] = []


class Hook(_Known):
    hookName: str  # noqa: N815
    path: str
    args: Annotated[list[str], BeforeValidator(_listed)] = []
    env: Annotated[list[str], BeforeValidator(_listed)] = []
    timeout: int | None = None


class Edits(_Known):
    """What a container gets for its devices."""

    env: Annotated[list[str], BeforeValidator(_listed)] = []
    deviceNodes: Annotated[list[Node], BeforeValidator(_listed)] = []  # noqa: N815
    mounts: Annotated[list[Mount], BeforeValidator(_listed)] = []
    hooks: Annotated[list[Hook], BeforeValidator(_listed)] = []
    additionalGids: Annotated[list[int], BeforeValidator(_listed)] = []  # noqa: N815


class _Device(_Known):
    name: str
    containerEdits: Edits = Edits()  # noqa: N815


class _Specification(_Known):
    cdiVersion: str  # noqa: N815
    kind: str
    devices: Annotated[list[_Device], BeforeValidator(_listed)] = []
    containerEdits: Edits = Edits()  # noqa: N815


@dataclass(frozen=True)
class Registry:
    """Every device that the host's specifications have, by its full name."""

    devices: dict[str, tuple[Edits, ...]] = field(default_factory=dict)
    """Those of its specification first, then its own."""
    claimed_twice: frozenset[str] = frozenset()

    def fault(self, name: str) -> str:
        """Return why ``name`` cannot be had, or an empty text."""
        if name in self.claimed_twice:
            return "is described by two specifications of the same directory"
        return "" if name in self.devices else "is in none of this host's CDI specifications"

    def edits(self, names: Iterable[str]) -> list[Edits]:
        """Return what the devices ``names`` need; what several share comes once."""
        found: list[Edits] = []
        for name in names:
            found += (edit for edit in self.devices.get(name, ()) if edit not in found)
        return found


def look(directories: Sequence[Path] = DIRECTORIES) -> Registry:
    """Return what there is now. A file that has not changed is not read again."""
    devices: dict[str, tuple[Edits, ...]] = {}
    twice: set[str] = set()
    for directory in directories:
        here: dict[str, tuple[Edits, ...]] = {}
        contested: set[str] = set()
        for file in _files(directory):
            described = _described(str(file), file.stat().st_mtime_ns)
            contested |= described.keys() & here.keys()
            here |= described
        twice = (twice - here.keys()) | contested
        devices |= here
    return Registry(devices, frozenset(twice))


def _files(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        yield from sorted(file for file in directory.iterdir() if file.suffix in _SUFFIXES)


@lru_cache(maxsize=64)
def _described(path: str, _changed: int) -> dict[str, tuple[Edits, ...]]:
    try:
        found = _Specification.model_validate(_loaded(Path(path)))
    except (OSError, ValueError, ValidationError) as error:
        logger.warning("cannot use CDI specification {}: {}", path, str(error).splitlines()[0])
        return {}
    shared = (found.containerEdits,) if found.containerEdits != Edits() else ()
    return {f"{found.kind}={d.name}": (*shared, d.containerEdits) for d in found.devices}


def _loaded(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    import yaml  # slow, and few hosts have such a file

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
