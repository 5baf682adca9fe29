"""What is on the disk of each attachment: how it was asked for, and what came of it so far.

One file an attachment, below the cache directory: ``<run>/<interface>.json``. Written and
synced before the first plugin is called, so that its undo needs nothing else: neither the
configuration directory as it was then, nor anything that a dead moored knew. Beside it lies,
while a plugin runs, its pid: written before the plugin gets anything of its input.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from moored.network.cni import configuration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moored.network.cni.configuration import NetworkList

_FORM: Final = 1


class RecordUnreadable(Exception):
    """A file of ours is not as we write it."""


@dataclass(frozen=True)
class AttachmentId:
    """``run`` is what plugins know the container by; with ``interface`` it is unique."""

    run: str
    interface: str

    @property
    def key(self) -> str:
        return f"{self.run}/{self.interface}"

    @classmethod
    def parse(cls, key: str) -> AttachmentId:
        run, _, interface = key.partition("/")
        if not run or not interface or "/" in interface or {run, interface} & {".", ".."}:
            raise ValueError(f"cannot name an attachment by {key!r}: it is not RUN/INTERFACE")
        return cls(run, interface)


@dataclass(frozen=True)
class Record:
    """``result`` is that of the last plugin that succeeded; ``done`` says that it was the last."""

    id: AttachmentId
    network: NetworkList
    version: str
    namespace: str
    arguments: str = ""
    """CNI_ARGS as it was given."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    done: bool = False

    def with_result(self, result: Mapping[str, Any], *, done: bool) -> Record:
        return replace(self, result=result, done=done)


class Records:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, record: Record) -> None:
        """Write a record so that it survives whatever may happen from here on."""
        place = self._place(record.id)
        for path in (self._directory, place.parent):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(record, sync=True)
        for path in (place.parent, self._directory):
            _sync(path)

    def update(self, record: Record) -> None:
        """Write a record anew. A host that fails forgets it, and what it was about as well."""
        self._write(record, sync=False)

    def read(self, id_: AttachmentId) -> Record | None:
        try:
            text = self._place(id_).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _record(id_, json.loads(text))
        except (ValueError, KeyError, TypeError, configuration.ConfigurationFault) as error:
            raise RecordUnreadable(f"cannot read {self._place(id_)}: {error!r}") from error

    def all(self) -> list[AttachmentId]:
        """Return every attachment that there is a record of, sorted."""
        return sorted(
            (
                AttachmentId(file.parent.name, file.stem)
                for file in self._directory.glob("*/*.json")
            ),
            key=lambda id_: (id_.run, id_.interface),
        )

    def of_run(self, run: str) -> list[AttachmentId]:
        return [id_ for id_ in self.all() if id_.run == run]

    def remove(self, id_: AttachmentId) -> None:
        """Forget an attachment, and the run with its last one."""
        place = self._place(id_)
        for path in (place, self._under_way(id_)):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # another is there, or there never was one
            place.parent.rmdir()

    def under_way(self, id_: AttachmentId, pid: int) -> None:
        self._under_way(id_).write_text(str(pid))

    def no_longer(self, id_: AttachmentId) -> None:
        self._under_way(id_).unlink(missing_ok=True)

    def last_under_way(self, id_: AttachmentId) -> int | None:
        """Return the pid of a plugin that moored may have died beside."""
        try:
            return int(self._under_way(id_).read_text())
        except (FileNotFoundError, ValueError):  # or cut off: it had nothing of its input yet
            return None

    def _place(self, id_: AttachmentId) -> Path:
        return self._directory / id_.run / f"{id_.interface}.json"

    def _under_way(self, id_: AttachmentId) -> Path:
        return self._directory / id_.run / f"{id_.interface}.pid"

    def _write(self, record: Record, *, sync: bool) -> None:
        place = self._place(record.id)
        fresh = place.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump(_document(record), file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(place)


def _document(record: Record) -> dict[str, Any]:
    return {
        "form": _FORM,
        "network": record.network.document(),
        "version": record.version,
        "namespace": record.namespace,
        "arguments": record.arguments,
        "capabilities": record.capabilities,
        "result": record.result,
        "done": record.done,
    }


def _record(id_: AttachmentId, found: Mapping[str, Any]) -> Record:
    if found["form"] != _FORM:
        raise ValueError(f"is of form {found['form']!r}")
    return Record(
        id=id_,
        network=configuration.from_document(found["network"]),
        version=found["version"],
        namespace=found["namespace"],
        arguments=found["arguments"],
        capabilities=found["capabilities"],
        result=found["result"],
        done=found["done"],
    )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
