"""The part of containerd's filter language that lists and subscriptions use.

``field==value``, ``!=``, ``~=`` and mere presence; commas mean *and*, several filters *or*.
A field is a name or ``labels."any text"``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.fakes.refusals import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_CONDITION: Final = re.compile(
    r"""(?P<field>(?:[\w-]+|"(?:[^"\\]|\\.)*")(?:\.(?:[\w/-]+|"(?:[^"\\]|\\.)*"))*)
        (?:(?P<operator>==|!=|~=)(?P<value>"(?:[^"\\]|\\.)*"|/[^/]*/|[^,]*))?
        (?:,|$)""",
    re.VERBOSE,
)
_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')


def matching(
    filters: Iterable[str], fields: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> bool:
    """Tell whether any of ``filters`` accepts the thing; none at all accept everything."""
    wanted = [_parsed(text) for text in filters if text]
    return not wanted or any(
        all(condition(fields, labels or {}) for condition in conditions) for conditions in wanted
    )


def _parsed(text: str) -> list[Callable[[Mapping[str, str], Mapping[str, str]], bool]]:
    found, position = [], 0
    while position < len(text):
        match = _CONDITION.match(text, position)
        if match is None or match.end() == position:
            raise unknown(f"filters: parse error: [{text}]: invalid argument")
        found.append(_condition(match["field"], match["operator"], _bare(match["value"] or "")))
        position = match.end()
    return found


def _condition(
    path: str, operator: str | None, value: str
) -> Callable[[Mapping[str, str], Mapping[str, str]], bool]:
    parts = [_bare(part) for part in _PART.findall(path)]

    def holds(fields: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        label = parts[0] == "labels" and len(parts) > 1
        have = labels.get(".".join(parts[1:])) if label else fields.get(".".join(parts))
        match operator:
            case "==":
                return have == value
            case "!=":
                return have is not None and have != value
            case "~=":
                return have is not None and re.search(value, have) is not None
            case _:
                return bool(have)

    return holds


def _bare(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in '"/':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
