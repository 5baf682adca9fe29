"""How a container has each of its namespaces: for itself, the host's, or another container's.

A mode is a text, as a caller writes it. Unset is private. The ipc namespace of a container is
another's to join only where its owner says "shareable"; pid and uts are so while they are
private, as they are to be joined by those who start containers and by nobody else; a network is
while it is neither the host's nor another's.
"""

from __future__ import annotations

from typing import Final

from moored.model.spec import Spec

PRIVATE: Final = "private"
SHAREABLE: Final = "shareable"
HOST: Final = "host"
CONTAINER: Final = "container:"
"""What a mode begins with that goes on with a reference."""
KINDS: Final = ("ipc", "pid", "uts")
"""Fields of a spec, and what the runtime spec and the kernel call their namespaces."""
NETWORK: Final = "network"
"""Another's to join, whatever it is attached to."""
_OWN_USERS: Final = ("auto", "private")
_JOINABLE: Final = {
    "ipc": (SHAREABLE,),
    "pid": ("", PRIVATE),
    "uts": ("", PRIVATE),
}


def mode(spec: Spec, kind: str) -> str:
    text: str = getattr(spec, kind)
    return text


def reference(mode: str) -> str:
    """Return what ``mode`` names a container by, or an empty text."""
    return mode.removeprefix(CONTAINER) if mode.startswith(CONTAINER) else ""


def shares(mode: str) -> bool:
    """Whether the namespace is not the container's own."""
    return mode == HOST or mode.startswith(CONTAINER)


def joins(spec: Spec) -> dict[str, str]:
    """Return the references of ``spec`` to other containers, by the kind of namespace."""
    modes = {kind: mode(spec, kind) for kind in (*KINDS, NETWORK)}
    return {kind: reference(text) for kind, text in modes.items() if reference(text)}


def why_not_joinable(spec: Spec, kind: str) -> str:
    """Return why the container of ``spec`` cannot be joined, or an empty text."""
    text = mode(spec, kind)
    if spec.user_namespace in _OWN_USERS:
        return "it belongs to that container's user namespace"
    if text in _JOINABLE.get(kind, ()) or (kind == NETWORK and not shares(text)):
        return ""
    if shares(text):
        return f"its own {kind} is {text!r}: name that one"
    return f"its {kind} is not {SHAREABLE!r}"
