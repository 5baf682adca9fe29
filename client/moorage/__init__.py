"""moorage: the client of moored. ``Client`` speaks to it, ``errors`` names what it answers.

Nothing is imported before it is asked for: gRPC takes longer to load than most calls take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moorage.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    if name == "Client":
        from moorage.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
