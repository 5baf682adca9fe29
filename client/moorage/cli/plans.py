"""What people are shown of a start that is only planned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from moorage.cli.tables import table
from moorage.cli.texts import plain

if TYPE_CHECKING:
    from moorage.v1.container_service_pb2 import CreateResponse, Plan, StartResponse


def planned(answer: CreateResponse | StartResponse) -> str:
    """Return what the start would do, step by step, and the runtime spec below."""
    if not answer.plan.steps:
        return f"nothing to do: {answer.container.id} is running"
    spec = json.loads(answer.plan.runtime_spec)
    told = json.dumps(spec, indent=2, ensure_ascii=False).splitlines()
    return "\n".join([_steps(answer.plan), "", *map(plain, told)])


def _steps(plan: Plan) -> str:
    rows = [
        (name, thing)
        for step in plan.steps
        for name, thing in zip(
            (step.name, *[""] * len(step.acquires)), step.acquires or ("",), strict=False
        )
    ]
    return table(("STEP", "ACQUIRES"), rows)
