"""What each deed asks of whom: one method a verb, by the verb's own name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from moorage.v1 import container_service_pb2 as asked
from moorage.v1.exec_service_pb2 import ExecSpec, ExecSyncRequest
from moorage.v1.volume_service_pb2 import VolumeServiceCreateRequest, VolumeServiceRemoveRequest
from tests.real.wire import duration
from tests.soak.population import VOLUMES, Population

if TYPE_CHECKING:
    from tests.real.wire import Wire
    from tests.soak.plan import Deed

Asked: TypeAlias = tuple[Any, Any]
"""A call, and its request."""


@dataclass(frozen=True)
class Requests:
    wire: Wire
    population: Population

    def of(self, deed: Deed) -> Asked:
        found: Asked = getattr(self, deed.verb)(deed)
        return found

    def start_new(self, deed: Deed) -> Asked:
        spec = self.population.spec(deed.name, deed.kind, deed.number)
        return self.wire.containers.Start, asked.StartRequest(spec=spec)

    def start(self, deed: Deed) -> Asked:
        return self.wire.containers.Start, asked.StartRequest(container=deed.name)

    def stop(self, deed: Deed) -> Asked:
        request = asked.StopRequest(container=deed.name, timeout=_grace(deed))
        return self.wire.containers.Stop, request

    def restart(self, deed: Deed) -> Asked:
        request = asked.RestartRequest(container=deed.name, timeout=_grace(deed))
        return self.wire.containers.Restart, request

    def kill(self, deed: Deed) -> Asked:
        signal = ("KILL", "TERM")[deed.number % 2]
        return self.wire.containers.Kill, asked.KillRequest(container=deed.name, signal=signal)

    def pause(self, deed: Deed) -> Asked:
        return self.wire.containers.Pause, asked.PauseRequest(container=deed.name)

    def resume(self, deed: Deed) -> Asked:
        return self.wire.containers.Resume, asked.ResumeRequest(container=deed.name)

    def cleanup(self, deed: Deed) -> Asked:
        return self.wire.containers.Cleanup, asked.CleanupRequest(container=deed.name, force=True)

    def remove(self, deed: Deed) -> Asked:
        request = asked.CleanupRequest(
            container=deed.name, force=True, remove=True, remove_volumes=True
        )
        return self.wire.containers.Cleanup, request

    def exec(self, deed: Deed) -> Asked:
        number = deed.number
        spec = ExecSpec(args=["/bin/sh", "-c", f"echo {number}; exit {number % 100}"])
        request = ExecSyncRequest(container=deed.name, spec=spec, timeout=duration(20))
        return self.wire.execs.ExecSync, request

    def attach(self, deed: Deed) -> Asked:
        start = asked.AttachStart(container=deed.name)
        return self.wire.containers.Attach, asked.AttachRequest(start=start)

    def logs(self, deed: Deed) -> Asked:
        return self.wire.containers.Logs, asked.LogsRequest(container=deed.name, all_runs=True)

    def wait(self, deed: Deed) -> Asked:
        condition = asked.WAIT_CONDITION_EXITED
        request = asked.WaitRequest(container=deed.name, condition=condition, timeout=duration(0.5))
        return self.wire.containers.Wait, request

    def update(self, deed: Deed) -> Asked:
        request = asked.UpdateRequest(container=deed.name)
        request.spec.resources.pids_limit = 100 + deed.number
        request.update_mask.paths.append("resources.pids_limit")
        return self.wire.containers.Update, request

    def rename(self, deed: Deed) -> Asked:
        request = asked.RenameRequest(container=deed.name, new_name=deed.other)
        return self.wire.containers.Rename, request

    def inspect(self, deed: Deed) -> Asked:
        return self.wire.containers.Inspect, asked.InspectRequest(container=deed.name)

    def list(self, _: Deed) -> Asked:
        return self.wire.containers.List, asked.ListRequest()

    def watch(self, _: Deed) -> Asked:
        return self.wire.containers.Watch, asked.WatchRequest(snapshot=True)

    def stats(self, _: Deed) -> Asked:
        return self.wire.containers.Stats, asked.StatsRequest()

    def audit(self, _: Deed) -> Asked:
        return self.wire.containers.Audit, asked.AuditRequest()

    def create_volume(self, deed: Deed) -> Asked:
        return self.wire.volumes.Create, VolumeServiceCreateRequest(name=_volume(deed))

    def remove_volume(self, deed: Deed) -> Asked:
        return self.wire.volumes.Remove, VolumeServiceRemoveRequest(volume=_volume(deed))


def _grace(deed: Deed) -> Any:
    return duration(deed.number % 3 / 2)


def _volume(deed: Deed) -> str:
    return VOLUMES[deed.number % len(VOLUMES)]
