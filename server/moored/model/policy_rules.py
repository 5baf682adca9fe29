"""Which fields of a spec ask for more than a role may have.

Each part of a spec has its own function here, or in a module of its own; ``forbidden`` joins
them.
"""

from __future__ import annotations

from collections.abc import Iterator

from moored.model import id_map_rules, security_policy
from moored.model.policy import Allowance, Forbidden
from moored.model.secrets import lies_below
from moored.model.sharing import HOST, KINDS, mode
from moored.model.spec import Spec


def forbidden(spec: Spec, allowed: Allowance) -> list[Forbidden]:
    """Return every field of ``spec`` that goes beyond what is ``allowed``."""
    return [
        *_network(spec, allowed),
        *_sharing(spec, allowed),
        *_process(spec, allowed),
        *security_policy.forbidden(spec, allowed),
        *_secrets(spec, allowed),
        *id_map_rules.forbidden(spec, allowed),
    ]


def _network(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    if spec.network == "host" and not allowed.host_network:
        yield Forbidden("network", "host_network", 'network "host"')
    for number, asked in enumerate(spec.networks):
        if asked.arguments and not allowed.cni_args:
            yield Forbidden(f"networks[{number}].cni_args", "cni_args", "arguments for plugins")


def _sharing(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    for kind in KINDS:
        if mode(spec, kind) == HOST and not getattr(allowed, f"host_{kind}"):
            yield Forbidden(kind, f"host_{kind}", f'{kind} "{HOST}"')


def _process(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    if (spec.oom_score_adjust or 0) < 0 and not allowed.low_oom_score:
        yield Forbidden("oom_score_adjust", "low_oom_score", "a score below 0")


def _secrets(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    for field, secrets in (("secrets", spec.secrets), ("configs", spec.configs)):
        for number, secret in enumerate(secrets):
            if secret.sealed is None and not lies_below(secret.file, allowed.secret_roots):
                what = f"file {secret.file!r}"
                yield Forbidden(f"{field}[{number}].file", "secret_roots", what)
