"""Create and Start: what they ask for, done, done again by a retry, or only planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked, pictures
from moored.errors import Violation
from moored.verbs.again import start_again

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moorage.v1.container_pb2 import ContainerSpec
    from moored.api.once import Mark
    from moored.directory import Directory
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.verbs.attempt import StartOutcome
    from moored.verbs.create import Creator
    from moored.verbs.plan import Plan, Planner
    from moored.verbs.start import Starter


@dataclass(frozen=True, kw_only=True)
class StartingDesk:
    directory: Directory
    creator: Creator
    starter: Starter
    planner: Planner
    warnings: Callable[[Spec], Sequence[str]]
    """What of a spec this host leaves out."""
    seal: Callable[[bytes], str]

    async def create(
        self, request: wire.CreateRequest, mark: Mark | None, *, role: str
    ) -> wire.CreateResponse:
        if not request.HasField("spec"):
            raise asked.refused("spec", "is required")
        if mark is not None and mark.begun is not None:
            snapshot = self.directory.peek(mark.begun.container).snapshot
            return self._created(snapshot)
        spec = self._spec(request.spec, role)
        if request.validate_only:
            planned = await self.planner.of_spec(spec)
            container = pictures.container(planned.snapshot)
            warnings = self.warnings(spec)
            return wire.CreateResponse(container=container, plan=_plan(planned), warnings=warnings)
        snapshot = await self.creator.create(spec, request=mark.request if mark else None)
        return self._created(snapshot)

    def _spec(self, message: ContainerSpec, role: str) -> Spec:
        return replace(asked.spec(message, self.seal), role=role)

    def _created(self, snapshot: Snapshot) -> wire.CreateResponse:
        return wire.CreateResponse(
            container=pictures.container(snapshot), warnings=self.warnings(snapshot.spec)
        )

    async def start(
        self, request: wire.StartRequest, mark: Mark | None, *, role: str
    ) -> wire.StartResponse:
        _refuse_checkpoint(request)
        if request.etag and request.HasField("spec"):
            raise asked.refused("etag", "goes with a container only: a spec has none yet")
        if request.validate_only:
            planned = await self._planned(request, role)
            return wire.StartResponse(
                container=pictures.container(planned.snapshot),
                already_running=planned.already_running,
                plan=_plan(planned),
                warnings=self.warnings(planned.snapshot.spec),
            )
        outcome = await self._started(request, mark, role)
        return wire.StartResponse(
            container=pictures.container(outcome.snapshot),
            already_running=outcome.already_running,
            warnings=self.warnings(outcome.snapshot.spec),
        )

    async def _started(
        self, request: wire.StartRequest, mark: Mark | None, role: str
    ) -> StartOutcome:
        named = mark.request if mark else None
        match request.WhichOneof("target"):
            case "spec" | "container" if mark is not None and mark.begun is not None:
                return await start_again(self.starter, mark.request, mark.begun)
            case "spec":
                return await self.starter.create_and_start(
                    self._spec(request.spec, role), request=named
                )
            case "container":
                container, generation = asked.required(request, "container"), asked.etag(request)
                return await self.starter.start(container, request=named, generation=generation)
            case _:
                raise _no_target()

    async def _planned(self, request: wire.StartRequest, role: str) -> Plan:
        match request.WhichOneof("target"):
            case "spec":
                return await self.planner.of_spec(self._spec(request.spec, role))
            case "container":
                container, generation = asked.required(request, "container"), asked.etag(request)
                return await self.planner.of_container(container, generation=generation)
            case _:
                raise _no_target()


def _plan(planned: Plan) -> wire.Plan:
    return wire.Plan(
        steps=[wire.PlannedStep(name=step.name, acquires=step.acquires) for step in planned.steps],
        runtime_spec=planned.runtime_spec,
    )


def _no_target() -> errors.InvalidField:
    return asked.refused("target", "is required: a container, or a spec")


def _refuse_checkpoint(request: wire.StartRequest) -> None:
    if request.checkpoint_directory:
        raise errors.CheckpointDirectoryForbidden(
            "cannot start from a checkpoint: its directory is never the caller's to choose"
        )
    if request.checkpoint:
        raise errors.CheckpointNotEnabled(
            "cannot start from a checkpoint: checkpoints are not enabled",
            Violation("checkpoint", "is not enabled on this server"),
        )
