"""``--filter KEY=VALUE``: which containers a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.v1.container_service_pb2 import ContainerFilter

_FIELDS: Final = {"label": "labels", "name": "names", "image": "images"}
_PREFIX: Final = "CONTAINER_STATE_"
_KEYS: Final = ("state", *_FIELDS, "since")

filter_option: Final = click.option(
    "--filter",
    "-f",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only those with this state, label, name or image, or changed since a revision."
    " Repeatable: one value of each key is enough, and every label must be there.",
)


def filter_of(texts: Iterable[str]) -> ContainerFilter | None:
    """Return the filter that the options say, if there are any."""
    from moorage.v1.container_service_pb2 import ContainerFilter

    found, texts = ContainerFilter(), tuple(texts)
    for text in texts:
        key, equals, value = text.partition("=")
        if key not in _KEYS or not equals:
            raise _misuse(f"{text!r} is none of {', '.join(f'{known}=' for known in _KEYS)}")
        if key == "state":
            found.MergeFrom(ContainerFilter(states=[_state(value)]))
        elif key == "since":
            found.since_revision = _revision(value)
        else:
            getattr(found, _FIELDS[key]).append(value)
    return found if texts else None


def _state(text: str) -> str:
    """Return the name that a state has on the wire."""
    from moorage.v1.container_pb2 import ContainerState

    known = [name for name, number in ContainerState.items() if number]
    if (name := _PREFIX + text.upper()) not in known:
        states = ", ".join(sorted(name.removeprefix(_PREFIX) for name in known)).lower()
        raise _misuse(f"{text!r} is no state: {states}")
    return name


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 2**64):
        raise _misuse(f"{text!r} is no revision")
    return int(text)


def _misuse(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint="--filter")
