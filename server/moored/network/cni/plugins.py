"""Plugins: where their programs are, how one is called, and what its answer means.

What a plugin reports reaches the caller with its code, its message and its details. One that
hangs is ended at its deadline; one that talks nonsense is refused by name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moored.network.cni import process, results
from moored.network.cni.process import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from moored.network.cni.results import Complaint

TRY_AGAIN: Final = frozenset({11, 50, 51})
"""Codes by which a plugin says that the same call may succeed later."""
_OURS: Final = ("CNI_", "MOORED_", "OTEL_", "GRPC_", "PYTHON")
"""What of our own environment is none of a plugin's business."""


class PluginFailed(Exception):
    """``complaint`` is what the plugin reported, if it reported anything."""

    def __init__(self, plugin: str, why: str, complaint: Complaint | None = None) -> None:
        super().__init__(f"plugin {plugin!r} {why}")
        self.plugin = plugin
        self.complaint = complaint


@dataclass(frozen=True)
class Call:
    """``variables`` without their prefix: ``CONTAINERID`` and its like."""

    command: str
    plugin: str
    variables: Mapping[str, str]
    document: bytes
    within: float
    spawned: Callable[[int], None] = lambda pid: None


@dataclass
class Plugins:
    directories: Sequence[Path]
    executor: Executor
    environ: Mapping[str, str]
    _supported: dict[tuple[str, int, int], tuple[str, ...]] = field(default_factory=dict)

    def find(self, plugin: str) -> Path:
        """Return the program of ``plugin``: the first by that name, in the directories' order."""
        for directory in self.directories:
            program = directory / plugin
            if program.is_file() and os.access(program, os.X_OK):
                return program
        places = ", ".join(str(directory) for directory in self.directories)
        raise PluginFailed(plugin, f"is in none of {places}")

    async def call(self, call: Call) -> bytes:
        """Return the answer of a plugin that succeeded, or raise PluginFailed."""
        order = Order(
            program=str(self.find(call.plugin)),
            environment=self._environment(call),
            input=call.document,
            within=call.within,
            spawned=call.spawned,
        )
        try:
            ended = await process.run(order, self.executor)
        except process.Overdue as error:
            why = f"did not end {call.command} in {call.within:.3g} s"
            raise PluginFailed(call.plugin, why) from error
        except process.TooTalkative as error:
            why = f"wrote more than {process.LARGEST_ANSWER} bytes"
            raise PluginFailed(call.plugin, why) from error
        except OSError as error:
            raise PluginFailed(call.plugin, f"cannot be run: {error.strerror}") from error
        if ended.code != 0:
            raise _failure(call, ended)
        return ended.answer

    async def supported(self, plugin: str, within: float) -> tuple[str, ...]:
        """Return the versions that a plugin speaks. It is asked once, as long as it is the same."""
        program = self.find(plugin)
        seen = program.stat()
        key = str(program), seen.st_ino, seen.st_mtime_ns
        if key not in self._supported:
            document = b'{"cniVersion":"1.0.0"}'
            answer = await self.call(Call("VERSION", plugin, {}, document, within))
            try:
                self._supported[key] = results.supported(answer)
            except results.BadAnswer as error:
                raise PluginFailed(plugin, str(error)) from error
        return self._supported[key]

    def _environment(self, call: Call) -> dict[str, str]:
        theirs = {k: v for k, v in self.environ.items() if not k.startswith(_OURS)}
        path = os.pathsep.join(str(directory) for directory in self.directories)
        given = {f"CNI_{key}": value for key, value in call.variables.items()}
        return {**theirs, "CNI_COMMAND": call.command, "CNI_PATH": path, **given}


def _failure(call: Call, ended: process.Ended) -> PluginFailed:
    # Some report on standard error what belongs on standard output.
    complaint = results.complaint(ended.answer) or results.complaint(ended.remark)
    if complaint is not None:
        details = f": {complaint.details}" if complaint.details else ""
        why = f"failed {call.command} with code {complaint.code}: {complaint.message}{details}"
        return PluginFailed(call.plugin, why, complaint)
    how = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
    said = (ended.remark or ended.answer).decode(errors="replace").strip()
    return PluginFailed(call.plugin, f"failed {call.command} with {how}: {said or 'no message'}")
