"""The policy's file: TOML, one table a role, and who has which. Read when moored starts.

Nothing in it is ignored: a role, a rule or a value that there is not is refused with its
place, and moored does not start.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from moored.errors import SetupRefused
from moored.model import access, identity_rules
from moored.model.policy import LOCAL, ROLES, Allowance, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_ALLOWANCE: Final = TypeAdapter(Allowance)
_RULES: Final = tuple(rule.name for rule in fields(Allowance))
_ROLES: Final = "roles"
_IDENTITIES: Final = "identities"
_PROXIES: Final = "trusted_proxies"
_ANONYMOUS: Final = "anonymous"
_METHODS: Final = "methods"
_ROLE: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def read(path: Path) -> Policy:
    """Return the policy that the file at ``path`` says, or refuse with one line."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SetupRefused(f"cannot read the policy from {str(path)!r}: {why}") from error
    _refuse_unknown(path, table, (_ROLES, _IDENTITIES, _PROXIES, _ANONYMOUS), "")
    roles = _table(path, table.get(_ROLES, {}), _ROLES)
    own = {role: _methods(path, role, roles[role]) for role in roles if role not in ROLES}
    known = ROLES | own.keys()
    return Policy(
        roles={role: _allowance(path, role, roles[role]) for role in roles},
        methods=own,
        identities=_identities(path, table.get(_IDENTITIES, {}), known),
        trusted_proxies=_proxies(path, table.get(_PROXIES, [])),
        anonymous=_role(path, _ANONYMOUS, table.get(_ANONYMOUS, ""), {*known, ""}),
    )


def _methods(path: Path, role: str, rules: object) -> frozenset[str]:
    """Return what a role of the operator's own may call."""
    place = f"{_ROLES}.{role}"
    if not _ROLE.fullmatch(role):
        raise _refusal(path, place, "must be up to 63 of a-z, 0-9, '-' and '_'")
    named = _table(path, rules, place).get(_METHODS)
    if not (isinstance(named, list) and named and all(isinstance(name, str) for name in named)):
        built_in = ", ".join(sorted(ROLES))
        why = f"must list what it may call: it is none of the roles that are there, {built_in}"
        raise _refusal(path, f"{place}.{_METHODS}", why)
    try:
        return access.methods(named)
    except ValueError as error:
        raise _refusal(path, f"{place}.{_METHODS}", str(error)) from error


def _identities(path: Path, given: object, known: AbstractSet[str]) -> Mapping[str, str]:
    table = _table(path, given, _IDENTITIES)
    for pattern in table:
        if why := identity_rules.pattern_fault(pattern):
            raise _refusal(path, f"{_IDENTITIES}.{pattern!r}", why)
    return {
        pattern: _role(path, f"{_IDENTITIES}.{pattern!r}", role, known)
        for pattern, role in table.items()
    }


def _role(path: Path, place: str, role: object, known: AbstractSet[str]) -> str:
    if not isinstance(role, str) or role not in known:
        raise _refusal(path, place, f"must be a role: {', '.join(sorted(known - {''}))}")
    if role == LOCAL:
        raise _refusal(path, place, f"must not be {LOCAL}, which is for this host's own callers")
    return role


def _proxies(path: Path, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise _refusal(path, _PROXIES, "must be a list of URIs")
    for pattern in given:
        if why := identity_rules.pattern_fault(pattern):
            raise _refusal(path, f"{_PROXIES}: {pattern!r}", why)
    return tuple(given)


def _allowance(path: Path, role: str, rules: object) -> Allowance:
    place = f"{_ROLES}.{role}"
    table = dict(_table(path, rules, place))
    if role not in ROLES:
        table.pop(_METHODS, None)
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
