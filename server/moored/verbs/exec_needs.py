"""What an exec needs of containerd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from moored.containerd.values import ContainerRecord, ProcessExit, Task
    from moored.model.execs import ExecId, WindowSize
    from moored.model.identity import RunId


class Executions(Protocol):
    async def prepare(
        self,
        run: RunId,
        exec_id: ExecId,
        process: bytes,
        *,
        stdin: str,
        stdout: str,
        stderr: str,
        terminal: bool,
    ) -> None: ...
    async def start(self, run: RunId, exec_id: ExecId, *, within: float) -> int: ...
    async def wait(self, run: RunId, exec_id: ExecId) -> ProcessExit | None: ...
    async def kill(self, run: RunId, exec_id: ExecId, signal: int) -> bool: ...
    async def delete(self, run: RunId, exec_id: ExecId) -> bool: ...
    async def pid(self, run: RunId, exec_id: ExecId) -> int: ...
    async def resize(self, run: RunId, window: WindowSize, exec_id: str) -> bool: ...
    async def close_stdin(self, run: RunId, exec_id: str) -> bool: ...


class Tasks(Protocol):
    async def get(self, run: RunId) -> Task | None: ...


class Containers(Protocol):
    async def get(self, run: str) -> ContainerRecord | None: ...
