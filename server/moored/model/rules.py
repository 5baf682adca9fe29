"""Which specs make sense anywhere. What this host and its policy add is the verbs' to say.

Each rule names its field as a caller writes it, so that an error can point there.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from moored.errors import Violation
from moored.model import (
    health_rules,
    id_map_rules,
    limit_rules,
    mount_rules,
    network_rules,
    output,
    port_rules,
    process_rules,
    secret_rules,
    security_rules,
    sharing_rules,
    users,
)
from moored.model.identity import is_id, is_name
from moored.model.restart import RestartCondition
from moored.model.spec import Spec

LARGEST_TEXT: Final = 128 * 1024
"""Bytes: what Linux takes as one argument or environment string."""
LARGEST_ARGUMENTS: Final = 1024 * 1024
"""Bytes of all arguments and the environment together: half of what execve takes by default."""
LONGEST_STOP: Final = timedelta(days=1)
MOST_LABELS: Final = 256
LARGEST_LABEL: Final = 4096
"""Bytes of a label's key and value together, as containerd limits them."""


def violations(spec: Spec) -> list[Violation]:
    """Return every field of ``spec`` that breaks its rule."""
    return [
        *_identity(spec),
        *_texts("command", spec.command),
        *_texts("args", spec.args),
        *_environment(spec.env),
        *_process(spec),
        *label_faults(spec.labels),
        *_stop(spec),
        *network_rules.violations(spec),
        *port_rules.violations(spec.ports),
        *limit_rules.violations(spec.resources),
        *limit_rules.rlimit_violations(spec.rlimits),
        *process_rules.violations(spec),
        *security_rules.violations(spec),
        *_restarts(spec),
        *health_rules.violations(spec.health_check),
        *output.violations(spec.log_config),
        *sharing_rules.violations(spec),
        *mount_rules.violations(spec.mounts),
        *secret_rules.violations(spec),
        *id_map_rules.violations(spec),
    ]


def _identity(spec: Spec) -> Iterator[Violation]:
    if not spec.image:
        yield Violation("image", "is required")
    if spec.name and (why := name_fault(spec.name)):
        yield Violation("name", why)


def name_fault(name: str) -> str:
    """Return why ``name`` cannot be a container's, or an empty text."""
    if is_id(name):
        return "looks like an id"
    if not is_name(name):
        return 'must be a letter or digit, then up to 127 letters, digits, "_", "." or "-"'
    return ""


def _texts(field: str, texts: tuple[str, ...]) -> Iterator[Violation]:
    for number, text in enumerate(texts):
        if why := _text(text):
            yield Violation(f"{field}[{number}]", why)
    if sum(len(text.encode()) + 1 for text in texts) > LARGEST_ARGUMENTS:
        yield Violation(field, f"is larger than {LARGEST_ARGUMENTS} bytes")
    if field == "command" and texts and not texts[0]:
        yield Violation("command[0]", "is empty")


def _text(text: str) -> str:
    if "\0" in text:
        return "contains a NUL"
    if len(text.encode()) >= LARGEST_TEXT:
        return f"is not smaller than {LARGEST_TEXT} bytes"
    return ""


def _environment(env: tuple[str, ...]) -> Iterator[Violation]:
    yield from _texts("env", env)
    seen: set[str] = set()
    for number, entry in enumerate(env):
        key, equals, _ = entry.partition("=")
        if not equals or not key:
            yield Violation(f"env[{number}]", "must be KEY=value")
        elif key in seen:
            yield Violation(f"env[{number}]", f"sets {key!r} a second time")
        seen.add(key)


def _process(spec: Spec) -> Iterator[Violation]:
    directory = spec.working_dir
    if directory and not directory.startswith("/"):
        yield Violation("working_dir", "must be an absolute path")
    elif directory and ("\0" in directory or len(directory.encode()) >= 4096):
        yield Violation("working_dir", "must be shorter than 4096 bytes, without NUL")
    elif ".." in directory.split(posixpath.sep):
        yield Violation("working_dir", 'must not contain ".."')
    if spec.stdin_once and not spec.stdin:
        yield Violation("stdin_once", "goes with stdin only")
    if spec.user and (why := users.fault(spec.user)):
        yield Violation("user", why)


def label_faults(labels: dict[str, str]) -> Iterator[Violation]:
    if len(labels) > MOST_LABELS:
        yield Violation("labels", f"are more than {MOST_LABELS}")
    for key, value in labels.items():
        if not key or "\0" in key:
            yield Violation(f"labels[{key!r}]", "needs a key without NUL")
        elif key.startswith("moorage."):
            yield Violation(f"labels[{key!r}]", 'must not start with "moorage."')
        elif len(key.encode()) + len(value.encode()) > LARGEST_LABEL:
            yield Violation(f"labels[{key[:64]!r}]", f"is larger than {LARGEST_LABEL} bytes")


def _stop(spec: Spec) -> Iterator[Violation]:
    if spec.stop_timeout is not None and not timedelta() <= spec.stop_timeout <= LONGEST_STOP:
        yield Violation("stop_timeout", "must be between 0 and 24 h")


def _restarts(spec: Spec) -> Iterator[Violation]:
    policy = spec.restart_policy
    if policy.max_retries and policy.condition is not RestartCondition.ON_FAILURE:
        yield Violation("restart_policy.max_retries", "goes with ON_FAILURE only")
    if policy.condition is not RestartCondition.NEVER and spec.auto_remove:
        yield Violation("restart_policy", "does not go with auto_remove")
