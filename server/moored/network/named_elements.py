"""Elements of our table's maps, by the run whose name they bear: what is published of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Named:
    run: str
    map: str
    key: str
    """As nftables writes it."""


def read(things: Iterable[Mapping[str, Any]]) -> Iterator[Named]:
    """Yield those in a listing of libnftables' in JSON. What bears no name is nobody's here."""
    for thing in things:
        found = thing.get("map") or {}
        for key, *_ in found.get("elem", ()):
            element = key.get("elem") if isinstance(key, dict) else None
            if element and (run := element.get("comment")):
                yield Named(run, found["name"], _written(element["val"]))


def _written(value: Any) -> str:
    parts = value["concat"] if isinstance(value, dict) else [value]
    return " . ".join(map(str, parts))
