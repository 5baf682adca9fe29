"""The client has a class for every reason of the protocol, and the server's word on retries."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest

from moorage import errors
from moored import errors as server_errors

PROTOS = Path(__file__).parents[2] / "protos" / "moorage" / "v1"


def test_every_reason_of_the_protocol_has_its_class() -> None:
    row = re.compile(r"//   ([A-Z]+(?:_[A-Z]+)*) {2,}([A-Z]+(?:_[A-Z]+)*) {2,}\S")
    documented = {
        found[2]
        for proto in PROTOS.glob("*.proto")
        for line in proto.read_text().splitlines()
        if (found := row.search(line)) and hasattr(grpc.StatusCode, found[1])
    }
    assert len(documented) > 20
    assert documented - {"BUG"} <= set(errors.BY_REASON)


@pytest.mark.parametrize("kind", errors.BY_REASON.values())
def test_whether_a_retry_can_help_is_as_the_server_says(kind: type[errors.Refused]) -> None:
    theirs: type[server_errors.MooredError] = getattr(server_errors, kind.__name__)
    assert kind("cannot", code=grpc.StatusCode.INTERNAL).retriable is theirs.retriable
