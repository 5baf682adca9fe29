"""The cases of the matrix: which point of which verb is broken, and how. Pure.

The points come from the code: a new step or kind of resource joins by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.model.resources import Kind
from moored.verbs.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.real.proxy import Loss
    from tests.real.runtime import Lie

ACTIONS: Final = ("error", "hang", "kill")
"""What moored is told to do itself."""
STRUCK: Final = ("cancel", "containerd", "silence", "shim", "stall")
"""What is done to others while moored stands still at the point."""
QUESTION: Final = "question"
"""The property of a case's report that names each question that was asked, in their order."""
QUESTIONS: Final[Mapping[str, str]] = {
    "true": "Is the state legal and true?",
    "exit": "Was an exit lost?",
    "usable": "Can the container be started or cleaned up now?",
    "left": "Is anything left, by moored's audit or by a look from outside?",
}
SIDES: Final = ("before", "after")
UNDONE: Final = "start.run.after=1*error;"
"""A start that fails at its last step but one, so that everything is undone."""
KEPT: Final = frozenset({Kind.LAYER, Kind.IDS, Kind.OUTPUT, Kind.VOLUME, Kind.SOURCE})
"""What an exit does not let go of."""
ELSEWHERE: Final = frozenset({"join", Kind.ATTACHMENT})
"""What these lives do not come by: another's namespaces, and CNI plugins."""
APART: Final = frozenset({"idmap", Kind.IDMAPS, Kind.IDS})
"""What a life comes by that has a user namespace of its own, and shares nothing."""
BOUNDLESS: Final = frozenset({"start.record", "start.commit", "start.admit"})
"""What ends by itself and has no limit of its own: it is not told to hang."""
WITH_SHIM: Final = frozenset(
    {
        "start.task.after",
        *(f"start.{it}.{side}" for it in ("compare", "watch", "run", "commit") for side in SIDES),
        *(f"start.task.undo.{side}" for side in SIDES),
        *(f"release.{it}.{side}" for it in (Kind.STREAMS, Kind.TASK) for side in SIDES),
    }
)
"""Where there is a shim to stop, or has just been one."""
CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "start": (
        *("Images.Get", "Content.Read", "Snapshots.Stat", "Snapshots.Prepare"),
        *("Containers.Create", "Tasks.Create", "Tasks.Wait", "Tasks.Start"),
    ),
    "again": ("Snapshots.Mounts",),
    "exec": ("Containers.Get", "Tasks.Exec", "Tasks.Wait", "Tasks.Start", "Tasks.DeleteProcess"),
    "cleanup": ("Tasks.Kill", "Tasks.Delete", "Containers.Delete", "Snapshots.Remove"),
    "exit": ("Tasks.Wait", "Tasks.Delete", "Containers.Delete"),
}
"""What each verb asks of containerd."""
LOSSES: Final[tuple[Loss, ...]] = ("request", "reply")
LIES: Final[Mapping[tuple[str, str], tuple[Lie, ...]]] = {
    ("start", "create"): ("idle", "deny"),
    ("start", "start"): ("idle", "deny"),
    ("exec", "exec"): ("idle", "deny"),
    ("cleanup", "kill"): ("idle", "deny"),
    ("cleanup", "delete"): ("idle", "deny"),
    ("exit", "delete"): ("idle", "deny"),
}
"""What the runtime can lie about: verb of ours, verb of the runtime's."""
SELECTED: Final = frozenset(
    {
        *("start.record.after", "start.mounts.after", "start.attach.after", "start.task.after"),
        *("start.idmap.after", "start.idmap.undo.before"),
        *("start.run.after", "start.commit.after", "start.task.undo.after", "ledger.commit.after"),
        *("release.task.after", "release.files.after"),
    }
)
"""Where moored is killed with all tests: a deed is done, and not on record."""
SELECTED_STRUCK: Final = frozenset(
    {("cancel", "start.task.after"), ("containerd", "start.task.after")}
)


@dataclass(frozen=True)
class Case:
    verb: str
    point: str
    action: str

    @property
    def script(self) -> str:
        """What moored's fail points are set to."""
        prefix = UNDONE if self.verb == "undo" else ""
        # The first commit is that of the partner.
        first = "1*off->" if self.point.startswith("ledger") else ""
        action = "stop" if self.action in STRUCK else self.action
        return f"{prefix}{self.point}={first}1*{action}"

    def __str__(self) -> str:
        return f"{self.verb}-{self.point}-{self.action}"

    def about(self, passed: set[str]) -> bool:
        """Whether a life that passes and holds these comes by the point."""
        where, name, *_ = self.point.split(".")
        if where == "ledger":
            return True
        if where == "release" and self.verb == "exit":
            return name in passed - KEPT
        return name in passed


def cases() -> Iterator[Case]:
    """Yield them all: kind after kind of what goes wrong."""
    for case in _everywhere():
        if case.action != "stall" or case.point in WITH_SHIM:
            yield case


def lost_calls() -> Iterator[tuple[Case, Loss]]:
    """Yield a case for each call that a verb makes of containerd, and each way to lose it."""
    for loss in LOSSES:
        for verb, calls in CALLS.items():
            for call in calls:
                yield Case(verb, call, loss), loss


def lies() -> Iterator[tuple[Case, Lie]]:
    """Yield a case for each thing that the runtime is asked for, and each way to lie about it."""
    for (verb, asked), told in LIES.items():
        for lie in told:
            yield Case(verb, f"runc.{asked}", lie), lie


def whole() -> tuple[Case, ...]:
    """Return every case of every kind."""
    others = (*lost_calls(), *lies())
    return (*cases(), *(case for case, _ in others))


def _everywhere() -> Iterator[Case]:
    for action in (*ACTIONS, *STRUCK):
        for side in SIDES:
            for step in STEPS:
                if action != "hang" or f"start.{step}" not in BOUNDLESS:
                    yield Case("start", f"start.{step}.{side}", action)
                if STEPS[step] and step != "run":
                    yield Case("undo", f"start.{step}.undo.{side}", action)
            for kind in Kind:
                yield Case("cleanup", f"release.{kind}.{side}", action)
                if kind not in KEPT:
                    yield Case("exit", f"release.{kind}.{side}", action)
    for action in ("error", "kill", *STRUCK):
        yield Case("start", "ledger.commit.before", action)
    yield Case("start", "ledger.commit.after", "kill")


def selected(case: Case) -> bool:
    """Whether a case runs with all tests."""
    if case.action in STRUCK:
        return (case.action, case.point) in SELECTED_STRUCK
    return case.action == "kill" and case.verb != "exit" and case.point in SELECTED
