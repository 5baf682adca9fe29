"""An error is the class of its reason, with all that moored said; what is not moored's says so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from moorage import Client, errors
from moorage.v1.container_pb2 import ContainerSpec
from tests.fakes.service import FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="session")
async def client(moored: FakeMoored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


@pytest.mark.parametrize("reason", sorted(errors.BY_REASON))
async def test_a_reason_is_raised_as_its_class(
    moored: FakeMoored, client: Client, reason: str
) -> None:
    refusal = Refusal(
        grpc.StatusCode.FAILED_PRECONDITION, reason, "cannot do it: why", {"container": "c1"}
    )
    moored.script.refuse("Inspect", refusal)
    with pytest.raises(errors.BY_REASON[reason]) as raised:
        await client.inspect("web")
    error = raised.value
    assert (error.reason, error.message, str(error)) == (
        reason,
        "cannot do it: why",
        "cannot do it: why",
    )
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.metadata == {"container": "c1"}
    assert isinstance(error.__cause__, grpc.aio.AioRpcError)


@pytest.mark.parametrize(
    ("code", "retriable"),
    [(grpc.StatusCode.INTERNAL, False), (grpc.StatusCode.UNAVAILABLE, True)],
)
async def test_a_reason_of_a_newer_server_is_a_plain_error(
    moored: FakeMoored, client: Client, code: grpc.StatusCode, retriable: bool
) -> None:
    moored.script.refuse("Inspect", Refusal(code, "MOON_IN_THE_WAY", "cannot inspect: the moon"))
    with pytest.raises(errors.MoorageError) as raised:
        await client.inspect("web")
    assert type(raised.value) is errors.MoorageError
    assert raised.value.reason == "MOON_IN_THE_WAY"
    assert raised.value.retriable is retriable


async def test_each_violation_is_told(moored: FakeMoored, client: Client) -> None:
    moored.script.refuse(
        "Create",
        Refusal(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_FIELD",
            "cannot create container: 2 fields are wrong",
            violations=(("spec.user", "must be numeric"), ("spec.env[0]", "must be KEY=value")),
        ),
    )
    with pytest.raises(errors.InvalidField) as raised:
        await client.create(ContainerSpec(image="busybox"))
    assert raised.value.violations == (
        errors.Violation("spec.user", "must be numeric"),
        errors.Violation("spec.env[0]", "must be KEY=value"),
    )


async def test_the_time_after_which_to_retry_is_told(moored: FakeMoored, client: Client) -> None:
    moored.script.refuse(
        "Start",
        Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "START_QUEUE_FULL",
            "cannot start: too many starts",
            retry_after=timedelta(milliseconds=1500),
        ),
    )
    with pytest.raises(errors.StartQueueFull) as raised:
        await client.start("web")
    assert raised.value.retry_after == 1.5
    assert raised.value.retriable


async def test_a_stream_raises_the_same_classes(moored: FakeMoored, client: Client) -> None:
    with pytest.raises(errors.ContainerNotFound, match="cannot find container 'nobody'"):
        await anext(client.logs("nobody"))


async def test_an_import_raises_the_same_classes(moored: FakeMoored, client: Client) -> None:
    refusal = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "ARCHIVE_INVALID", "cannot import: no tar")
    moored.script.refuse("Import", refusal)
    with pytest.raises(errors.ArchiveInvalid, match="no tar"):
        await client.import_image([b"x"])


async def test_details_of_somebody_else_are_not_taken_for_moored(
    moored: FakeMoored, client: Client
) -> None:
    refusal = Refusal(
        grpc.StatusCode.NOT_FOUND, "CONTAINER_NOT_FOUND", "no route", domain="proxy.example"
    )
    moored.script.refuse("Inspect", refusal)
    with pytest.raises(errors.MoorageError) as raised:
        await client.inspect("web")
    assert type(raised.value) is errors.MoorageError
    assert str(raised.value) == "cannot inspect container 'web': no route"


async def test_where_there_is_no_socket_the_error_says_so(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/nowhere.sock"
    async with Client(address) as client:
        with pytest.raises(errors.Unreachable) as raised:
            await client.inspect("web")
    assert str(raised.value) == (
        f"cannot inspect container 'web': cannot reach moored at {address}:"
        " there is no such socket; is moored running?"
    )
    assert raised.value.retriable


async def test_where_nobody_listens_the_error_says_so(moored: FakeMoored) -> None:
    await moored.vanish()
    moored.socket.unlink(missing_ok=True)
    moored.socket.touch()
    async with Client(moored.address) as client:
        with pytest.raises(errors.Unreachable, match="nobody listens there; is moored running"):
            await client.inspect("web")


async def test_over_tcp_the_error_names_the_address(unused_tcp_port: int) -> None:
    async with Client(f"tcp://127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(errors.Unreachable, match=f"tcp://127.0.0.1:{unused_tcp_port}"):
            await client.inspect("web")


async def test_a_connection_that_breaks_is_unreachable(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    pieces = client.logs(running.id, follow=True)
    await moored.process(running).write(b"one")
    await anext(pieces)
    await moored.vanish()
    with pytest.raises(errors.Unreachable):
        await anext(pieces)


async def test_an_answer_that_is_late_passes_the_deadline(
    moored: FakeMoored, client: Client
) -> None:
    moored.script.hold("Inspect")
    with pytest.raises(errors.DeadlinePassed, match="did not answer in time"):
        await client.inspect("web", timeout=0.05)
