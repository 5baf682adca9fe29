"""However many call in the same moment, each is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_service_pb2 as service
from tests.real.wire import CALL_WITHIN

if TYPE_CHECKING:
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

MORE_THAN_GRPC_TAKES = 2000
"""By itself it cancels some of those beyond a thousand that no handler has got yet."""


async def test_two_thousand_calls_in_the_same_moment_are_all_answered(wire: Wire) -> None:
    version = (await wire.server()).version
    answers = await asyncio.gather(
        *(
            wire.containers.GetServerInfo(service.GetServerInfoRequest(), timeout=CALL_WITHIN)
            for _ in range(MORE_THAN_GRPC_TAKES)
        )
    )
    assert {answer.version for answer in answers} == {version}
