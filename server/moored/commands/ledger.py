"""``moored ledger``: look at it, copy it, make a lost one anew."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moored import errors
from moored.commands.ends import FAULTY, REFUSED, end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.config import Settings
    from moored.house.adoption import Rebuilt
    from moored.ledger.inspection import Report
    from moored.verbs.adopt import Adopted

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group("ledger")
def ledger_group() -> None:
    """What moored knows and must not forget: <root>/ledger.db."""


@ledger_group.command("check")
@_AS_JSON
@click.pass_obj
def check(settings: Settings, /, *, as_json: bool) -> None:
    """Say what is in the ledger, and whether it is whole; beside a moored that serves, too.

    Changes nothing. Ends with 0 when it is whole, with 1 when it cannot be read, and with 3 when it
    has faults.
    """
    from moored.ledger import inspection, reading

    path = settings.root / "ledger.db"
    try:
        report = inspection.inspect(path)
    except reading.FAILURES as error:
        end(errors.SetupRefused(f"cannot read the ledger {str(path)!r}: {error}"), REFUSED)
    _tell(report, path, as_json=as_json)
    if report.faults:
        sys.exit(FAULTY)


@ledger_group.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@_AS_JSON
@click.pass_obj
def backup(settings: Settings, /, file: Path, *, force: bool, as_json: bool) -> None:
    """Copy the ledger as it is at this moment to FILE; beside a moored that serves, too.

    The copy is looked through before it gets its name, and only its owner can read it. What it has
    of secrets is sealed by <root>/secrets.key, which has to be kept beside it.
    """
    from moored.ledger import reading
    from moored.ledger.backup import back_up

    try:
        report = back_up(settings.root / "ledger.db", file.absolute(), replace=force)
    except FileExistsError:
        end(
            errors.SetupRefused(f"cannot write {str(file)!r}: it is there; --force replaces it"),
            REFUSED,
        )
    except reading.FAILURES as error:
        end(errors.SetupRefused(f"cannot back up the ledger: {error}"), REFUSED)
    _tell(report, file, as_json=as_json)


@ledger_group.command("adopt")
@click.option("--force", is_flag=True, help="Also where there is a ledger that can be read.")
@click.option("--dry-run", is_flag=True, help="Say what would be adopted, and write nothing.")
@_AS_JSON
@click.pass_obj
def adopt(settings: Settings, /, *, force: bool, dry_run: bool, as_json: bool) -> None:
    """Make a ledger of what containerd and the host know, where it is lost or cannot be read.

    Containers that run go on running. A ledger that is there is moved aside and kept. Ends with 0
    when all that was found was adopted, and with 1 otherwise.
    """
    from moored import premises
    from moored.house.adoption import rebuild

    try:
        premises.refuse_unless_root()
        rebuilt = asyncio.run(rebuild(settings, force=force, dry_run=dry_run))
    except errors.MooredError as refusal:
        end(refusal, REFUSED)
    if as_json:
        click.echo(json.dumps(_rebuilt(rebuilt), indent=2))
    else:
        for line in _adoption(rebuilt):
            click.echo(line)
    if rebuilt.adoption.passed:
        sys.exit(REFUSED)


def _tell(report: Report, path: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"path": str(path), **dataclasses.asdict(report)}, indent=2))
        return
    click.echo(f"{path}: version {report.version}, revision {report.revision}")
    click.echo(f"containers: {_sums(report.containers)}")
    click.echo(f"resources: {_sums(report.resources)}")
    click.echo(f"volumes: {report.volumes}, events: {report.events}, requests: {report.requests}")
    for fault in report.faults:
        click.echo(f"fault: {fault}")
    click.echo("not whole" if report.faults else "whole")


def _sums(counts: Mapping[str, int]) -> str:
    each = ", ".join(f"{count} {name}" for name, count in counts.items())
    return each or "none"


def _adoption(rebuilt: Rebuilt) -> Iterator[str]:
    adoption = rebuilt.adoption
    for one in adoption.adopted:
        known = _row(one)
        unknown = f"; not known: {', '.join(one.unknown)}" if one.unknown else ""
        yield f"{known['id']} {known['name'] or '-'}: adopted as {known['state']}{unknown}"
    for passed in adoption.passed:
        yield f"{passed.container}: not adopted: {passed.why}"
    yield (
        f"{len(adoption.adopted)} containers and {len(adoption.volumes)} volumes adopted,"
        f" {len(adoption.passed)} containers not"
    )
    if rebuilt.aside:
        yield f"the ledger that was there is at {rebuilt.aside}"
    yield (
        "forgotten: containers that were never started, events, requests,"
        " and labels of volumes that no container names"
    )


def _rebuilt(rebuilt: Rebuilt) -> dict[str, Any]:
    adoption = rebuilt.adoption
    return {
        "adopted": [_row(one) for one in adoption.adopted],
        "passed": [dataclasses.asdict(one) for one in adoption.passed],
        "volumes": [volume.name for volume in adoption.volumes],
        "aside": str(rebuilt.aside) if rebuilt.aside else None,
    }


def _row(one: Adopted) -> dict[str, Any]:
    snapshot = one.snapshot
    return {
        "id": snapshot.id,
        "name": snapshot.spec.name,
        "run": snapshot.run,
        "state": type(snapshot.state).__name__.upper(),
        "unknown": list(one.unknown),
    }
