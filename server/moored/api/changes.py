"""What changes a container that exists: each request read, its verb called, the outcome told."""

from __future__ import annotations

from dataclasses import dataclass
from signal import SIGKILL
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored.api import asked, filters, pictures
from moored.oci import signals
from moored.verbs.audit import refuse_without_fix
from moored.verbs.release import Outcome, Released

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from moored.verbs.audit import Auditor, Finding
    from moored.verbs.cleanup import Cleaner
    from moored.verbs.kill import Killer
    from moored.verbs.pause import Pauser
    from moored.verbs.prune import Pruner
    from moored.verbs.rename import Renamer
    from moored.verbs.restart import Restarter
    from moored.verbs.stop import Stopper
    from moored.verbs.update import Updater

_OUTCOMES: Final = {
    Outcome.RELEASED: wire.RELEASE_OUTCOME_RELEASED,
    Outcome.ALREADY_GONE: wire.RELEASE_OUTCOME_ALREADY_GONE,
    Outcome.FAILED: wire.RELEASE_OUTCOME_FAILED,
}


@dataclass(frozen=True, kw_only=True)
class ChangesDesk:
    stopper: Stopper
    restarter: Restarter
    killer: Killer
    pauser: Pauser
    renamer: Renamer
    updater: Updater
    cleaner: Cleaner
    pruner: Pruner
    seal: Callable[[bytes], str]
    auditor: Auditor

    async def stop(self, request: wire.StopRequest) -> wire.StopResponse:
        outcome = await self.stopper.stop(
            asked.required(request, "container"),
            signal=_signal(request),
            timeout=_timeout(request),
            generation=asked.etag(request),
        )
        return wire.StopResponse(
            container=pictures.container(outcome.snapshot),
            already_stopped=outcome.already_stopped,
        )

    async def restart(self, request: wire.RestartRequest) -> wire.RestartResponse:
        snapshot = await self.restarter.restart(
            asked.required(request, "container"),
            signal=_signal(request),
            timeout=_timeout(request),
            generation=asked.etag(request),
        )
        return wire.RestartResponse(container=pictures.container(snapshot))

    async def kill(self, request: wire.KillRequest) -> wire.KillResponse:
        snapshot = await self.killer.kill(
            asked.required(request, "container"),
            signal=_signal(request) or SIGKILL,
            generation=asked.etag(request),
        )
        return wire.KillResponse(container=pictures.container(snapshot))

    async def pause(self, request: wire.PauseRequest) -> wire.PauseResponse:
        snapshot = await self.pauser.pause(
            asked.required(request, "container"), generation=asked.etag(request)
        )
        return wire.PauseResponse(container=pictures.container(snapshot))

    async def resume(self, request: wire.ResumeRequest) -> wire.ResumeResponse:
        snapshot = await self.pauser.resume(
            asked.required(request, "container"), generation=asked.etag(request)
        )
        return wire.ResumeResponse(container=pictures.container(snapshot))

    async def rename(self, request: wire.RenameRequest) -> wire.RenameResponse:
        snapshot = await self.renamer.rename(
            asked.required(request, "container"),
            asked.required(request, "new_name"),
            generation=asked.etag(request),
        )
        return wire.RenameResponse(container=pictures.container(snapshot))

    async def update(self, request: wire.UpdateRequest) -> wire.UpdateResponse:
        snapshot = await self.updater.update(
            asked.required(request, "container"),
            asked.spec(request.spec, self.seal),
            _mask(request),
            generation=asked.etag(request),
        )
        return wire.UpdateResponse(container=pictures.container(snapshot))

    async def cleanup(self, request: wire.CleanupRequest) -> wire.CleanupResponse:
        if request.remove_volumes and not request.remove:
            raise asked.refused("remove_volumes", "goes with remove")
        outcome = await self.cleaner.cleanup(
            asked.required(request, "container"),
            force=request.force,
            and_remove=request.remove,
            with_volumes=request.remove_volumes,
            generation=asked.etag(request),
        )
        return wire.CleanupResponse(
            resources=[_released(row) for row in outcome.rows],
            complete=outcome.complete,
            container=pictures.container(outcome.snapshot),
        )

    async def audit(self, request: wire.AuditRequest) -> wire.AuditResponse:
        refuse_without_fix(fix=request.fix, kill=request.kill, request_id=bool(request.request_id))
        findings = await self.auditor.audit(fix=request.fix, kill=request.kill)
        return wire.AuditResponse(findings=map(_finding, findings))

    async def prune(self, request: wire.PruneRequest) -> wire.PruneResponse:
        outcome = await self.pruner.prune(filters.read(request.filter))
        return wire.PruneResponse(removed=outcome.removed, incomplete=outcome.incomplete)


def _finding(finding: Finding) -> wire.Finding:
    trace = finding.trace
    return wire.Finding(
        kind=trace.kind,
        key=trace.key,
        of=trace.of,
        known=finding.known,
        alive=trace.alive,
        fate=_released(finding.fate) if finding.fate else None,
    )


def _signal(request: wire.StopRequest | wire.RestartRequest | wire.KillRequest) -> int | None:
    signal = signals.parse(request.signal) if request.signal else None
    if request.signal and signal is None:
        raise asked.refused("signal", "names no signal")
    return signal


def _timeout(request: wire.StopRequest | wire.RestartRequest) -> timedelta | None:
    return asked.duration(request.timeout, "timeout") if request.HasField("timeout") else None


def _mask(request: wire.UpdateRequest) -> frozenset[str]:
    """Return the names of the spec's fields that are to change."""
    known = request.spec.DESCRIPTOR.fields_by_name
    for position, path in enumerate(request.update_mask.paths):
        name, _, part = path.partition(".")
        parts = request.spec.resources.DESCRIPTOR.fields_by_name if name == "resources" else ()
        if name not in known or (part and part not in parts):
            raise asked.refused(f"update_mask.paths[{position}]", "names no field of ContainerSpec")
    if not request.update_mask.paths:
        raise asked.refused("update_mask", "is required")
    return frozenset(request.update_mask.paths)


def _released(row: Released) -> wire.ReleasedResource:
    return wire.ReleasedResource(
        kind=row.resource.kind,
        key=row.resource.key,
        outcome=_OUTCOMES[row.outcome],
        reason=row.reason,
        duration=pictures.duration(row.duration),
    )
