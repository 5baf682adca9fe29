"""Realtime of the processors: what a run may have of it, from the cgroup of the host's above it.

The kernel divides it from above: a cgroup has none until somebody gives it some, and gives no
more than it has. What is for containers is the host's to plan: it is of the parent that a spec
names.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from moored.errors import Violation
from moored.model.limit_rules import rt_period
from moored.oci import cgroups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moored.model.limits import Resources
    from moored.model.spec import Spec
    from moored.oci.defaults import Json

_MICROSECOND: Final = timedelta(microseconds=1)
_FIELD: Final = "resources.cpu_rt_runtime"
_RUNTIME: Final = "cpu.rt_runtime_us"
_PERIOD: Final = "cpu.rt_period_us"


def limits(asked: Resources) -> Json:
    """Return what of the processors' limits is realtime."""
    if not asked.cpu_rt_runtime:
        return {}
    return {
        "realtimeRuntime": asked.cpu_rt_runtime // _MICROSECOND,
        "realtimePeriod": rt_period(asked) // _MICROSECOND,
    }


def problems(spec: Spec) -> Iterator[Violation]:
    """Yield why ``spec`` cannot have the realtime that it asks for, as the host is now."""
    asked = spec.resources
    if not asked.cpu_rt_runtime:
        return
    found = [h.root for h in cgroups.hierarchies() if "cpu" in h.controllers and not h.unified]
    if not (found and (found[0] / _RUNTIME).exists()):
        yield Violation(_FIELD, "is divided by the cpu controller of v1, which this host has not")
    elif not spec.cgroup_parent:
        yield Violation(_FIELD, "needs cgroup_parent: a cgroup of the host's that has realtime")
    else:
        above = found[0] / spec.cgroup_parent[1:]
        wanted = Fraction(asked.cpu_rt_runtime // _MICROSECOND, rt_period(asked) // _MICROSECOND)
        free = _share(above) - sum(map(_share, _below(above)), Fraction())
        if wanted > free:
            why = f"{spec.cgroup_parent!r} has {float(max(free, Fraction())):.3g} of a processor"
            yield Violation(_FIELD, f"is {float(wanted):.3g} of a processor, and {why} to give")


def _share(place: Path) -> Fraction:
    """Return which part of the time is a cgroup's as realtime."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        runtime, period = (int((place / name).read_text()) for name in (_RUNTIME, _PERIOD))
        return Fraction(runtime, period)
    return Fraction()


def _below(place: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in place.iterdir() if path.is_dir()]
    return []
