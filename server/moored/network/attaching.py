"""What connects a run to one network: the built-in bridge, or whatever else is put in its place.

An attacher promises: what it will acquire is known before it acquires any of it; ``attach`` gives
the interface or raises, and leaves it to the release of those resources to undo what it did; each
release works from the resource's key alone, also in another process than the one that attached,
finds nothing without complaint, and says whether there was anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from moored.model.identity import ContainerId, RunId, run_id
from moored.model.network import Dns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moored.errors import Violation
    from moored.model.network import Attached, Attachment
    from moored.model.resources import Kind, Resource
    from moored.network.sandboxes import Sandbox

Way: TypeAlias = Callable[[str], Awaitable[bool]]
"""Lets go of the resource with this key, and returns whether there was anything."""


@dataclass(frozen=True)
class AttachRequest:
    """One interface of one run."""

    container: ContainerId
    run: int
    interface: str
    """Inside the sandbox."""
    asked: Attachment
    first: bool
    """Whether it gives the default route."""
    dns: Dns = Dns()
    """What was asked for the whole container."""

    @property
    def run_id(self) -> RunId:
        return run_id(self.container, self.run)


@dataclass(frozen=True)
class Reservation:
    """What one interface will hold, and how it will look as far as that is known."""

    resources: tuple[Resource, ...]
    attached: Attached


@dataclass(frozen=True)
class Left:
    """Something on the host that says it is of one run, or of none in particular."""

    kind: Kind
    key: str
    run: str


class Attacher(Protocol):
    @property
    def names(self) -> tuple[str, ...]:
        """The networks that it can attach to now."""

    @property
    def faults(self) -> Mapping[str, str]:
        """Why there are not more of them: by where it is written, what is wrong there."""

    @property
    def ways(self) -> Mapping[Kind, Way]:
        """How each kind of resource that it acquires is released."""

    async def left(self) -> Iterable[Left]:
        """Return all that is on the host of it, whether a record names it or not."""

    def violations(self, asked: Attachment) -> Iterable[Violation]:
        """Yield what cannot be done here, with fields relative to the attachment."""

    def planned(self, request: AttachRequest) -> tuple[Resource, ...]:
        """Return what would be acquired. What only a reservation tells is in angle brackets."""

    def reserve(self, request: AttachRequest) -> Reservation:
        """Take what only one can have, for this run. Raises what a caller can act on.

        It stays taken until ``settle``: by then the record names it, or it is not wanted.
        """

    def settle(self, reservation: Reservation) -> None: ...

    async def attach(self, sandbox: Sandbox, request: AttachRequest, planned: Attached) -> Attached:
        """Make the interface. Raises NetworkFailed."""

    async def ready(self, asked: Attachment) -> None:
        """Raise NetworkFailed if it is known that ``attach`` would fail now."""

    async def check(self, request: AttachRequest) -> str:
        """Return what is wrong with the interface of a run that lives, or an empty text."""

    async def recall(self, request: AttachRequest, planned: Attached) -> Attached:
        """Return the interface of a run that this process did not attach."""
