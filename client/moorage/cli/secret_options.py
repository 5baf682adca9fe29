"""The options that give a container secrets and configs.

A value comes from a file or a variable on this side, never from the command line, which
everybody on this machine can read.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Given = dict[str, str]
"""What an option says, by its keys."""

_KEYS: Final = {
    "id": "name",
    "name": "name",
    "src": "src",
    "source": "src",
    "env": "env",
    "file": "file",
    "target": "target",
    "dst": "target",
    "mode": "mode",
    "uid": "uid",
    "gid": "gid",
}
_SOURCES: Final = ("src", "env", "file")
_STANDARD_INPUT: Final = "-"
_OCTAL: Final = 8


def given(text: str) -> Given:
    """A name and what is said of it: NAME,src=FILE,target=PATH,mode=0400."""
    first, comma, rest = text.partition(",")
    parts = text.split(",") if "=" in first else [f"name={first}", *(rest.split(",") * bool(comma))]
    found: Given = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if key not in _KEYS or not equals:
            known = ", ".join(_KEYS)
            raise click.BadParameter(f"{part!r} is no KEY=VALUE with one of {known}")
        if _KEYS[key] in found:
            raise click.BadParameter(f"{part!r} says {_KEYS[key]} a second time")
        found[_KEYS[key]] = value
    _refuse_unclear(found)
    return found


def _refuse_unclear(found: Given) -> None:
    if not found.get("name"):
        raise click.BadParameter("needs a name: NAME,src=FILE")
    if len(found.keys() & set(_SOURCES)) != 1:
        raise click.BadParameter(
            "needs one of src=FILE, env=VARIABLE and file=FILE-OF-THE-SERVER'S"
        )
    for key, base in (("mode", _OCTAL), ("uid", 10), ("gid", 10)):
        if key in found:
            _number(found[key], key, base)


def _number(text: str, key: str, base: int) -> int:
    if not re.fullmatch("[0-7]{1,10}" if base == _OCTAL else "[0-9]{1,10}", text):
        kind = "octal, such as 0400" if base == _OCTAL else "a number"
        raise click.BadParameter(f"{key} must be {kind}, not {text!r}")
    return int(text, base)


_HELP: Final = (
    "Repeatable. NAME,src=FILE here, env=VARIABLE here or file=FILE of the server's;"
    " more: target, mode, uid, gid."
)
SECRET_OPTIONS: Final = (
    click.option(
        "--secret", multiple=True, type=given, metavar="NAME,src=FILE", help=f"A secret. {_HELP}"
    ),
    click.option(
        "--config", multiple=True, type=given, metavar="NAME,src=FILE", help=f"A config. {_HELP}"
    ),
)


def secret_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that ``SECRET_OPTIONS`` say, and take those away."""
    from moorage.v1.container_pb2 import Config, Secret

    return {
        "secrets": _made(options.pop("secret"), Secret, "--secret"),
        "configs": _made(options.pop("config"), Config, "--config"),
    }


def _made(asked: Sequence[Given], kind: Callable[..., Any], option: str) -> list[Any]:
    return [
        kind(
            name=found["name"],
            target=found.get("target"),
            mode=_number(found["mode"], "mode", _OCTAL) if "mode" in found else None,
            uid=_number(found.get("uid", "0"), "uid", 10),
            gid=_number(found.get("gid", "0"), "gid", 10),
            **_content(found, option),
        )
        for found in asked
    ]


def _content(found: Given, option: str) -> dict[str, Any]:
    if "file" in found:
        return {"file": found["file"]}
    try:
        if "env" in found:
            return {"value": os.environb[os.fsencode(found["env"])]}
        if found["src"] == _STANDARD_INPUT:
            return {"value": sys.stdin.buffer.read()}
        return {"value": Path(found["src"]).read_bytes()}
    except KeyError as error:
        why = f"{found['env']!r} is not in this environment"
        raise click.BadParameter(why, param_hint=option) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise click.BadParameter(f"{found['src']!r}: {why}", param_hint=option) from error
