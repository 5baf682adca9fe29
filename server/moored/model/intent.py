"""What a container should be doing, and who wants it so: apart from what it was seen doing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    STOP = "stop"
    RUN = "run"
    REMOVE = "remove"


class Asker(StrEnum):
    CALLER = "caller"
    AUTO_REMOVE = "auto remove"
    RESTART_POLICY = "restart policy"


@dataclass(frozen=True)
class Intent:
    action: Action = Action.STOP
    asker: Asker = Asker.CALLER
