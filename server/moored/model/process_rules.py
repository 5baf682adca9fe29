"""Which wishes about the process itself make sense on any host, beside its command and user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from moored.errors import Violation
from moored.model import users
from moored.model.spec import Spec

_SCORES: Final = range(-1000, 1000 + 1)
_MOST_GROUPS: Final = 256


def violations(spec: Spec) -> Iterator[Violation]:
    if spec.oom_score_adjust is not None and spec.oom_score_adjust not in _SCORES:
        yield Violation("oom_score_adjust", "must be between -1000 and 1000")
    if spec.umask is not None and not 0 <= spec.umask <= 0o777:
        yield Violation("umask", "must be between 0 and 0o777")
    if len(spec.supplementary_groups) > _MOST_GROUPS:
        yield Violation("supplementary_groups", f"are more than {_MOST_GROUPS}")
    for number, group in enumerate(spec.supplementary_groups):
        if why := users.group_fault(group):
            yield Violation(f"supplementary_groups[{number}]", why)
