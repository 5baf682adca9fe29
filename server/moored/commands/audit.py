"""``moored audit``: what ``moorage audit`` does, while no moored serves."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from moored import errors
from moored.commands.ends import REFUSED, end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moored.config import Settings
    from moored.verbs.audit import Finding


@click.command("audit")
@click.option("--fix", is_flag=True, help="Let go of what is found, unless it is alive.")
@click.option("--kill", is_flag=True, help="With --fix: of what is alive, too.")
@click.option("--json", "as_json", is_flag=True, help="Print what is found as JSON.")
@click.pass_obj
def audit(settings: Settings, /, *, fix: bool, kill: bool, as_json: bool) -> None:
    """Look for what is left on the host and belongs to no container, while no moored serves.

    Reads the ledger and changes nothing in it. Ends with 0 when there is nothing, or all of it is
    gone now, and with 1 otherwise.
    """
    from moored import premises
    from moored.house.auditing import look

    try:
        if kill and not fix:
            raise errors.SetupRefused("cannot audit: --kill goes with --fix only")
        premises.refuse_unless_root()
        seen = asyncio.run(look(settings, fix=fix, kill=kill))
    except errors.MooredError as refusal:
        end(refusal, REFUSED)
    for line in _json(seen.findings, seen.missed) if as_json else _text(seen.findings):
        click.echo(line)
    if not as_json:
        for name, why in seen.missed.items():
            click.echo(f"moored: cannot look at {name}: {why}", err=True)
    if seen.missed or any(not found.is_gone for found in seen.findings):
        sys.exit(REFUSED)


def _text(findings: Sequence[Finding]) -> Iterator[str]:
    for found in findings:
        alive = "alive" if found.trace.alive else "dead"
        container = "known" if found.known else "unknown"
        yield f"{found.trace.kind} {found.trace.key}: {alive}, container {container}{_fate(found)}"


def _fate(found: Finding) -> str:
    if found.fate is None:
        return ""
    return f": {found.fate.outcome}{f' ({found.fate.reason})' if found.fate.reason else ''}"


def _json(findings: Sequence[Finding], missed: Mapping[str, str]) -> Iterator[str]:
    rows: list[dict[str, Any]] = [
        {
            "kind": str(found.trace.kind),
            "key": found.trace.key,
            "of": found.trace.of,
            "alive": found.trace.alive,
            "known": found.known,
            "outcome": str(found.fate.outcome) if found.fate else None,
            "reason": found.fate.reason if found.fate else None,
        }
        for found in findings
    ]
    yield json.dumps({"findings": rows, "missed": dict(missed)}, indent=2)
