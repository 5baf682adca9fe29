"""``audit``: what bears the server's mark on its host, and is on nobody's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli import codes
from moorage.cli.parameters import json_option

if TYPE_CHECKING:
    from moorage.cli.invocation import Invocation


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
    from moorage.cli import audit_views  # needs the messages, which are slow to import

    if invocation.json or answer.findings:
        invocation.answer(answer, audit_views.findings)
    return codes.FAILED if any(map(audit_views.is_there, answer.findings)) else 0
