"""Fail points: places where a test may let moored fail, wait, hang or die. Off, they cost nothing.

The setting ``failpoints`` (``MOORED_FAILPOINTS``) has them as ``NAME=TERM->TERM;NAME=TERM``. A
term is an action, and how often it is taken before the next one's turn: ``2*off->1*kill``. The
last one goes on for ever if it has no number, and is followed by ``off`` if it has one.

Actions: ``off``; ``error`` and ``error(TEXT)``; ``delay(SECONDS)``; ``hang``, which ends with the
time limit of what hangs; ``kill`` and ``stop``, which are SIGKILL and SIGSTOP to moored itself.

Names: ``start.STEP.before`` and ``.after``, inside the time limit of each step of a start;
``start.STEP.undo.before`` and ``.after``; ``release.KIND.before`` and ``.after``, where a resource
is let go by a cleanup, an exit, a rollback or the sweep; ``ledger.commit.before`` and ``.after``;
``netlink.REQUEST.before`` and ``.after``, for each request that the bridge makes of the kernel.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_POINT: Final = re.compile(r"[a-z][a-z.]*\.(before|after)")
_TERM: Final = re.compile(r"(?:([0-9]{1,6})\*)?([a-z]+)(?:\(([^()]*)\))?")
_SEPARATOR: Final = "->"
_ON_DISK: Final = "ledger.commit.after"


class Action(StrEnum):
    OFF = "off"
    ERROR = "error"
    DELAY = "delay"
    HANG = "hang"
    KILL = "kill"
    STOP = "stop"


@dataclass(frozen=True)
class Term:
    action: Action
    times: int | None = None
    """None: for ever."""
    argument: str = ""


class ToldToFail(Exception):
    """What a fail point raises; whoever reaches it gives it a name that callers know."""


class Failpoints:
    def __init__(self, scripts: dict[str, list[Term]] | None = None) -> None:
        self._scripts = scripts or {}
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._scripts)

    def __str__(self) -> str:
        return ", ".join(self._scripts)

    async def reach(self, name: str) -> None:
        """Do what the script of ``name`` has next. Raises ToldToFail."""
        match self._next(name):
            case Term(action=Action.DELAY, argument=seconds):
                await asyncio.sleep(float(seconds))
            case Term(action=Action.HANG):
                await asyncio.Event().wait()
            case term:
                _act(name, term)

    def reach_in_thread(self, name: str, *, limit: float | None = None) -> None:
        """As ``reach``, where nothing can be awaited.

        What hangs raises TimeoutError after ``limit`` seconds, if that is not None.
        """
        match self._next(name):
            case Term(action=Action.DELAY, argument=seconds):
                time.sleep(float(seconds))
            case Term(action=Action.HANG):
                threading.Event().wait(limit)
                raise TimeoutError(f"told to hang at {name}")
            case term:
                _act(name, term)

    def _next(self, name: str) -> Term:
        with self._lock:
            terms = self._scripts.get(name, ())
            taken = self._taken[name] = self._taken.get(name, 0) + 1
        return _at(terms, taken)


def parse(text: str) -> Failpoints:
    """Return what ``text`` describes. Raises ValueError."""
    scripts: dict[str, list[Term]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, terms = part.partition("=")
        if not (equals and _POINT.fullmatch(name)):
            raise ValueError(f"{part!r} must be NAME=TERM with a NAME such as start.task.after")
        if name in scripts:
            raise ValueError(f"{name!r} is named twice")
        scripts[name] = [_term(term) for term in terms.split(_SEPARATOR)]
        if name == _ON_DISK and any(term.action is Action.ERROR for term in scripts[name]):
            raise ValueError(f"{part!r} must not fail: the change is on disk by then")
    return Failpoints(scripts)


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None or match[2] not in set(Action):
        actions = ", ".join(Action)
        raise ValueError(f"{text!r} must be [NUMBER*]ACTION[(ARGUMENT)], an ACTION of {actions}")
    times, action, argument = match.groups()
    if action == Action.DELAY and not re.fullmatch(r"[0-9]*\.?[0-9]+", argument or ""):
        raise ValueError(f"{text!r} must say how many seconds: delay(0.5)")
    return Term(Action(action), int(times) if times else None, argument or "")


def _at(terms: Iterable[Term], taken: int) -> Term:
    """Return the term whose turn it is the ``taken``-th time, counted from 1."""
    for term in terms:
        if term.times is None or taken <= term.times:
            return term
        taken -= term.times
    return Term(Action.OFF)


def _act(name: str, term: Term) -> None:
    if term.action is Action.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if term.action is Action.STOP:
        os.kill(os.getpid(), signal.SIGSTOP)
    if term.action is Action.ERROR:
        raise ToldToFail(term.argument or f"told to fail at {name}")


NONE: Final = Failpoints()
