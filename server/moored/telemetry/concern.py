"""What the call or the deed under way is about: known late, and told by every line of its log.

It travels in OpenTelemetry's context, from a call into the work that the service owns, and back:
whoever learns which container it is says so once.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import context

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY: Final = context.create_key("moored-concern")


@dataclass(slots=True)
class Concern:
    container: str = ""
    """Its id. Empty: not known, or several."""
    run: int = 0
    """0: not known, or it is about no run."""
    several: bool = False


@contextmanager
def concerning(container: str = "", run: int = 0) -> Iterator[Concern]:
    """Let what is within be about something of its own."""
    concern = Concern(container, run)
    token = context.attach(context.set_value(_KEY, concern))
    try:
        yield concern
    finally:
        context.detach(token)


def current() -> Concern | None:
    found = context.get_value(_KEY)
    return found if isinstance(found, Concern) else None


def about(container: str, run: int = 0) -> None:
    """Say which container it is about. What is about two is about none of them."""
    concern = current()
    if concern is None or concern.several:
        return
    if concern.container not in ("", container):
        concern.container, concern.run, concern.several = "", 0, True
        return
    concern.container, concern.run = container, run
