"""Which containers may be started, and why the others may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored import errors
from moored.model.intent import Action
from moored.model.state import (
    Created,
    Exited,
    Frozen,
    Removing,
    Restarting,
    Running,
    Starting,
    Stopping,
    Stranded,
)

if TYPE_CHECKING:
    from moored.directory import Subject
    from moored.model.state import Snapshot


def refuse_if_removing(subject: Subject) -> None:
    """Do not wait for the end of what is on its way out."""
    if subject.removers:
        container = subject.view.snapshot.id
        raise errors.ContainerRemoving(
            f"cannot start container {container!r}: it is being removed", container=container
        )


def refuse_unless_startable(snapshot: Snapshot) -> None:
    what = f"cannot start container {snapshot.id!r}"
    facts = {"container": snapshot.id}
    match snapshot.state:
        case _ if snapshot.intent.action is Action.REMOVE:
            raise errors.ContainerRemoving(f"{what}: it is being removed", **facts)
        case Created() | Exited() | Restarting():
            return
        case Frozen():
            raise errors.ContainerPaused(f"{what}: it is paused, resume it instead", **facts)
        case Stopping():
            raise errors.ContainerStopping(f"{what}: it is stopping", **facts)
        case Removing():
            raise errors.ContainerRemoving(f"{what}: it is being removed", **facts)
        case Stranded():
            kinds = ", ".join(sorted({left.resource.kind for left in snapshot.leftovers}))
            raise errors.ContainerStranded(
                f"{what}: leftovers of an earlier run have to go first ({kinds})", **facts
            )
        case Starting():  # its rollback could not be recorded; the sweep will
            raise errors.Interrupted(f"{what}: an earlier start is not undone yet", **facts)
        case Running():
            raise AssertionError("a running container is answered before")


def between_halves(container: str, *, again: bool) -> errors.ContainerStopping:
    """Return why a start must not come between a restart's stop and its start."""
    why = "a stop came in between" if again else "it is being restarted"
    return errors.ContainerStopping(
        f"cannot start container {container!r}: {why}", container=container
    )
