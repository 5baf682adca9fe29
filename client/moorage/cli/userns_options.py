"""The options that say whose ids the users of a container are on the host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moorage.v1.security_pb2 import IdMapping

_MODES: Final = ("host", "auto")
_MAPPING: Final = re.compile(r"([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10})")
_LARGEST: Final = 2**32 - 1

USERNS_OPTIONS: Final = (
    click.option(
        "--userns",
        multiple=True,
        metavar="MODE",
        help="host, auto (65536 ids that no other container has), or ID:HOST:SIZE, what ids inside"
        " are on the host. Repeatable: a mapping each.",
    ),
    click.option(
        "--gidmap",
        multiple=True,
        metavar="ID:HOST:SIZE",
        help="The same for groups alone; else as for users. Repeatable.",
    ),
)


def userns_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that ``USERNS_OPTIONS`` say, and take those away."""
    asked, groups = options.pop("userns"), options.pop("gidmap")
    if len(asked) == 1 and asked[0] in _MODES:
        return {"user_namespace": asked[0], "gid_mappings": _mappings(groups, "--gidmap")}
    if not asked and not groups:
        return {}
    return {
        "user_namespace": "private",
        "uid_mappings": _mappings(asked, "--userns"),
        "gid_mappings": _mappings(groups, "--gidmap"),
    }


def _mappings(texts: Sequence[str], option: str) -> list[IdMapping]:
    from moorage.v1.security_pb2 import IdMapping

    found = []
    for text in texts:
        match = _MAPPING.fullmatch(text)
        numbers = [int(number) for number in match.groups()] if match else []
        if not numbers or max(numbers) > _LARGEST:
            modes = "" if option == "--gidmap" else f"{', '.join(_MODES)} or "
            raise click.BadParameter(f"{text!r} is not {modes}ID:HOST:SIZE", param_hint=option)
        found.append(IdMapping(inside=numbers[0], host=numbers[1], size=numbers[2]))
    return found
