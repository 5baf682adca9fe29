"""What people are shown of an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.cli.tables import Cell, Coloured, table
from moorage.v1.container_service_pb2 import RELEASE_OUTCOME_FAILED, ReleaseOutcome

if TYPE_CHECKING:
    from moorage.v1.container_service_pb2 import AuditResponse, Finding


def is_there(finding: Finding) -> bool:
    return not finding.HasField("fate") or finding.fate.outcome == RELEASE_OUTCOME_FAILED


def findings(answer: AuditResponse) -> str:
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
