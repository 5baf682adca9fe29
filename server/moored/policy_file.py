"""The policy's file: TOML, one table a role. Read once, when moored starts.

Nothing in it is ignored: a role, a rule or a value that there is not is refused with its
place, and moored does not start.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from moored.errors import SetupRefused
from moored.model.policy import ROLES, Allowance, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ALLOWANCE: Final = TypeAdapter(Allowance)
_RULES: Final = tuple(rule.name for rule in fields(Allowance))
_ROLES: Final = "roles"


def read(path: Path) -> Policy:
    """Return the policy that the file at ``path`` says, or refuse with one line."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SetupRefused(f"cannot read the policy from {str(path)!r}: {why}") from error
    _refuse_unknown(path, table, (_ROLES,), "")
    roles = _table(path, table.get(_ROLES, {}), _ROLES)
    _refuse_unknown(path, roles, sorted(ROLES), f"{_ROLES}.")
    return Policy({role: _allowance(path, role, roles[role]) for role in roles})


def _allowance(path: Path, role: str, rules: object) -> Allowance:
    place = f"{_ROLES}.{role}"
    table = _table(path, rules, place)
    _refuse_unknown(path, table, _RULES, f"{place}.")
    try:
        return _ALLOWANCE.validate_python(table, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _refusal(path, f"{place}.{where}", first["msg"].lower()) from error


def _table(path: Path, value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _refusal(path, place, "must be a table")
    return value


def _refuse_unknown(
    path: Path, table: Mapping[str, Any], known: tuple[str, ...] | list[str], place: str
) -> None:
    for name in table:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1) or known
            raise _refusal(path, f"{place}{name}", f"is not known; there is {', '.join(close)}")


def _refusal(path: Path, place: str, why: str) -> SetupRefused:
    return SetupRefused(f"cannot use {place} in the policy {str(path)!r}: {why}")
