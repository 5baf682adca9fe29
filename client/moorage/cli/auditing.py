"""``audit``: what bears the server's mark on its host, and is on nobody's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli import codes
from moorage.cli.parameters import json_option
from moorage.cli.tables import Coloured, table
from moorage.v1.container_service_pb2 import RELEASE_OUTCOME_FAILED, ReleaseOutcome

if TYPE_CHECKING:
    from moorage.cli.invocation import Invocation
    from moorage.cli.tables import Cell
    from moorage.v1.container_service_pb2 import AuditResponse, Finding


@click.command()
@click.option("--fix", is_flag=True, help="Let go of what is found, but for what is alive.")
@click.option("--kill", is_flag=True, help="With --fix: also of what is alive.")
@json_option
@click.pass_obj
def audit(invocation: Invocation, /, fix: bool, kill: bool) -> int:
    """Look for what is left on the host and belongs to no container.

    Ends with 0 when there is nothing of it, or all of it is gone now, and with 1 otherwise.
    """
    answer = invocation.run(lambda client: client.audit(fix=fix, kill=kill))
    if invocation.json or answer.findings:
        invocation.answer(answer, _shown)
    return codes.FAILED if any(map(_is_there, answer.findings)) else 0


def _is_there(finding: Finding) -> bool:
    return not finding.HasField("fate") or finding.fate.outcome == RELEASE_OUTCOME_FAILED


def _shown(answer: AuditResponse) -> str:
    rows = [
        (found.kind, found.key, "yes" if found.alive else "no", _fate(found))
        for found in answer.findings
    ]
    return table(("KIND", "KEY", "ALIVE", "FATE"), rows)


def _fate(finding: Finding) -> Cell:
    if not finding.HasField("fate"):
        return Coloured("there", "yellow")
    name = ReleaseOutcome.Name(finding.fate.outcome)
    outcome = name.removeprefix("RELEASE_OUTCOME_").lower().replace("_", " ")
    if finding.fate.reason:
        return Coloured(f"{outcome}: {finding.fate.reason}", "red")
    return outcome
