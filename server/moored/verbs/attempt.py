"""One call of Start: who asked for it, how far it has come, and what it is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import INVALID_SPAN

from moored.model.intent import Action, Asker, Intent
from moored.model.state import Restarting
from moored.telemetry.background import link_to
from moored.telemetry.concern import about
from moored.verbs.tracing import describe

if TYPE_CHECKING:
    from datetime import datetime

    from opentelemetry.trace import Span

    from moored.model.requests import Request
    from moored.model.state import Snapshot
    from moored.registry import Claim
    from moored.saga import Saga

_WANTED: Final = Intent(Action.RUN, Asker.CALLER)
_WANTED_AGAIN: Final = Intent(Action.RUN, Asker.RESTART_POLICY)


@dataclass(frozen=True)
class StartOutcome:
    snapshot: Snapshot
    already_running: bool


@dataclass
class Attempt:
    """One call of Start. It can be cancelled until it is recorded."""

    saga: Saga
    request: Request | None = None
    due: datetime | None = None
    """When the restart policy asked for it. None: a caller does."""
    recorded: bool = False
    trace_id: str = ""
    span: Span = INVALID_SPAN

    def follow(self, claim: Claim) -> None:
        """From now on it is known which container this is about."""
        self.saga.follow(claim)
        describe(self.span, claim.snapshot)
        if self.due and (link := link_to(claim.snapshot.last_start)):
            self.span.add_link(link.context, link.attributes)

    def number(self, claim: Claim, run: int) -> None:
        """From now on it is known which run this would be."""
        about(claim.snapshot.id, run)
        self.span.set_attribute("moorage.run", run)

    def may_cancel(self) -> bool:
        return not self.recorded

    @property
    def intent(self) -> Intent:
        return _WANTED_AGAIN if self.due else _WANTED

    def is_wanted(self, snapshot: Snapshot) -> bool:
        """Whether the start that a policy asked for still waits to be begun."""
        waits = isinstance(snapshot.state, Restarting) and snapshot.state.due == self.due
        return waits or self.due is None
