"""Users by name: looked up in the image at the start, and refused there when they are nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.real.archives import docker_archive
from tests.real.specs import shell
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real
_WHO = "id -u; id -g; id -G; echo $HOME"


async def _printed(wire: Wire, spec: container_pb2.ContainerSpec) -> list[str]:
    async with wire.running(spec) as container:
        return (await wire.printed(container.id)).decode().split("\n")[:-1]


@pytest.mark.parametrize(
    ("user", "seen"),
    [
        ("", ["0", "0", "0", "/root"]),
        ("daemon", ["1", "1", "1", "/usr/sbin"]),
        ("nobody:daemon", ["65534", "1", "1", "/home"]),
        ("4321", ["4321", "0", "0", "/"]),
    ],
)
async def test_a_container_runs_as_who_was_named(wire: Wire, user: str, seen: list[str]) -> None:
    assert await _printed(wire, shell(_WHO, user=user)) == seen


async def test_what_a_run_writes_to_passwd_counts_for_the_next(wire: Wire) -> None:
    script = "echo $HOME; echo root:x:0:0::/elsewhere: > /etc/passwd"
    async with wire.created(shell(script)) as container:
        for home in (b"/root\n", b"/elsewhere\n"):
            await wire.start(container.id)
            await wire.wait(container.id)
            assert await wire.printed(container.id) == home


async def test_a_user_that_nobody_is_fails_the_start_by_its_field_and_leaves_nothing(
    site: Site, wire: Wire
) -> None:
    async with wire.created(shell("true", user="nosuch")) as container:
        before = site.look()
        refusal = await refused(wire.start(container.id))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_FIELD",
        )
        assert refusal.fields == ("spec.user",)
        assert "'nosuch' is not in the image's /etc/passwd" in refusal.message
        assert site.changes_since(before) == []


async def test_a_script_without_its_interpreter_is_told_as_such(
    moored: Moored, wire: Wire, tmp_path: Path
) -> None:
    name = "docker.io/library/scripted:latest"
    archive = docker_archive(tmp_path / "i.tar", name, {"program": b"#!/opt/python\n"})
    moored.import_image(archive)
    async with wire.created(container_pb2.ContainerSpec(image="scripted")) as container:
        refusal = await refused(wire.start(container.id))
        assert refusal.reason == "COMMAND_NOT_FOUND"
        assert "its interpreter '/opt/python' does not exist" in refusal.message
        assert refusal.metadata["step"] == "spec"
        assert (await wire.inspect(container.id)).status.exit.code == 127


async def test_a_plan_shows_a_name_that_only_the_start_looks_up(wire: Wire) -> None:
    request = container_service_pb2.StartRequest(
        spec=shell("true", user="daemon"), validate_only=True
    )
    answer = await wire.containers.Start(request, timeout=30, wait_for_ready=True)
    assert '"user":{"username":"daemon"}' in answer.plan.runtime_spec
