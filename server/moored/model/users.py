"""Who a process runs as: names become numbers by the image's own passwd(5) and group(5).

A number needs no entry. One that has an entry gets that entry's group, home and further
groups, as its name would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LARGEST_ID: Final = 2**32 - 2
HOME: Final = "/"
"""Of a user without an entry."""
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_NAME: Final = re.compile(r"(?=.{1,256}\Z)[^\s:,\0/+-][^\s:,\0/]*\$?")


@dataclass(frozen=True)
class Identity:
    uid: int
    gid: int
    groups: tuple[int, ...]
    """All, the first included."""
    home: str = HOME
    """Empty: not known, and left to the runtime."""


@dataclass(frozen=True)
class _Entry:
    name: str
    uid: int
    gid: int
    home: str


class Unknown(ValueError):
    """A name that is not in the image's files. The message is the rest of a sentence."""


def fault(user: str) -> str:
    """Return why ``user`` names nobody anywhere, or an empty text."""
    name, colon, group = user.partition(":")
    parts = (name, group) if colon else (name,)
    if all(is_number(part) or (_NAME.fullmatch(part) and not part.isdecimal()) for part in parts):
        return ""
    return 'must be "user" or "user:group", each a name or a number'


def group_fault(group: str) -> str:
    return "" if ":" not in group and not fault(group) else "must be a group's name or number"


def is_numeric(user: str) -> bool:
    """Whether ``user`` means the same in every image, but for the groups and the home."""
    name, colon, group = user.partition(":")
    return is_number(name) and (not colon or is_number(group))


def resolve(user: str, added: Sequence[str], passwd: str, group: str) -> Identity:
    """Return who ``user`` is, with the groups that are ``added``, or raise Unknown."""
    name, colon, first = user.partition(":")
    entry = _user(name, passwd)
    gid = _group(first, group) if colon else entry.gid
    members = () if colon else _memberships(group)
    joined = [number for number, names in members if entry.name in names]
    others = [_group(other, group) for other in added]
    return Identity(entry.uid, gid, tuple(dict.fromkeys((gid, *joined, *others))), entry.home)


def _user(name: str, passwd: str) -> _Entry:
    number = int(name) if is_number(name) else None
    for entry in _entries(passwd):
        if (entry.uid == number) if number is not None else (entry.name == name):
            return entry
    if number is None:
        raise Unknown(f"{name!r} is not in the image's /etc/passwd")
    return _Entry("", number, 0, HOME)


def _group(name: str, group: str) -> int:
    if is_number(name):
        return int(name)
    for line in group.splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 2 and is_number(fields[2]):
            return int(fields[2])
    raise Unknown(f"group {name!r} is not in the image's /etc/group")


def _entries(passwd: str) -> Iterator[_Entry]:
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) > 3 and fields[0] and is_number(fields[2]) and is_number(fields[3]):
            home = fields[5] if len(fields) > 5 else ""
            yield _Entry(fields[0], int(fields[2]), int(fields[3]), home or HOME)


def _memberships(group: str) -> Iterator[tuple[int, frozenset[str]]]:
    for line in group.splitlines():
        fields = line.split(":")
        if len(fields) > 3 and is_number(fields[2]):
            yield int(fields[2]), frozenset(fields[3].split(",")) - {""}


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and int(text) <= LARGEST_ID
