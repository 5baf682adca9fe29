"""Rename: another name for the same container, whatever it is doing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored import errors
from moored.errors import Violation
from moored.model.rules import name_fault

if TYPE_CHECKING:
    from moored.model.state import Snapshot
    from moored.registry import Claim
    from moored.verbs.turns import Turns


@dataclass(frozen=True)
class Renamer:
    turns: Turns

    async def rename(self, reference: str, name: str, *, generation: int | None = None) -> Snapshot:
        if why := name_fault(name):
            found = Violation("new_name", why)
            raise errors.InvalidField(f"cannot rename container {reference!r}: {why}", found)
        return await self.turns.take("rename", reference, generation, partial(_rename, name))


async def _rename(name: str, claim: Claim) -> Snapshot:
    return await claim.rename(name)
