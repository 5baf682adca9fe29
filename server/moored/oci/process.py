"""The process of a runtime spec, beside its command: who it is and what limits it has itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.model.limits import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.model.limits import Rlimit
    from moored.model.spec import Spec
    from moored.model.users import Identity
    from moored.oci.defaults import Json
    from moored.oci.host import Host

_NO_LIMIT: Final = 2**64 - 1


def user(who: Identity | None, name: str, umask: int | None) -> Json:
    """Return who runs; ``name`` stands in for a plan that looked nobody up."""
    shown: Json = {} if umask is None else {"umask": umask}
    if who is None:
        return {"username": name, **shown}
    return {"uid": who.uid, "gid": who.gid, "additionalGids": who.groups, **shown}


def with_home(env: list[str], who: Identity | None) -> list[str]:
    if who is None or not who.home or any(entry.startswith("HOME=") for entry in env):
        return env
    return [*env, f"HOME={who.home}"]


def rlimits(asked: Sequence[Rlimit]) -> list[Json]:
    return [
        {"type": f"RLIMIT_{a.name.upper()}", "soft": _limit(a.soft), "hard": _limit(a.hard)}
        for a in asked
    ]


def oom_score(spec: Spec, host: Host) -> int | None:
    """Return what is added to its score; None: nothing can be set here.

    Unset is set all the same: it would inherit the shim's, which the kernel spares.
    """
    return (spec.oom_score_adjust or 0) if host.lowers_oom_score else None


def _limit(value: int) -> int:
    return _NO_LIMIT if value == UNLIMITED else value
