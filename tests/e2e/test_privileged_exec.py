"""A privileged exec has every capability, if the policy allows it; all else is the container's.

And the command shows an exec, and ends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import exec_service_pb2
from moored.model.capabilities import DEFAULT, of_mask
from moored.oci.host import Host
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def lenient(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moored]:
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text("[roles.local]\nprivileged_exec = true\n")
    daemon = site.start_moored({"policy": str(policy)})
    yield daemon
    daemon.stop()
    site.retire_stopped()


@pytest.fixture
async def open_wire(lenient: Moored) -> AsyncIterator[Wire]:
    async with Wire(lenient.address) as connected:
        yield connected


def request(container: str, *args: str) -> exec_service_pb2.ExecSyncRequest:
    spec = exec_service_pb2.ExecSpec(args=args, privileged=True)
    return exec_service_pb2.ExecSyncRequest(container=container, spec=spec)


async def moorage(moored: Moored, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moorage", *words),
        env={**os.environ, "MOORAGE_ADDRESS": moored.address},
        stdout=PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), CALL_WITHIN)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_it_is_refused_by_name_unless_the_policy_allows_it(wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        for call in (
            wire.execs.ExecSync(request(box.id, "true"), timeout=CALL_WITHIN),
            wire.execs.ExecDetached(
                exec_service_pb2.ExecDetachedRequest(
                    container=box.id, spec=request(box.id, "true").spec
                ),
                timeout=CALL_WITHIN,
            ),
        ):
            found = await refused(call)
            assert (found.code, found.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "NOT_ALLOWED_BY_POLICY",
            )
            assert found.fields == ("spec.privileged",)
            assert found.metadata["rule"] == "privileged_exec"


async def test_it_has_every_capability_and_the_containers_filter_and_namespaces(
    open_wire: Wire,
) -> None:
    async with open_wire.running(sleeper()) as box:
        look = "cat /proc/self/status; mount -t tmpfs none /mnt || echo filtered"
        look += "; ip link set lo mtu 1400"
        done = await open_wire.execs.ExecSync(
            request(box.id, "sh", "-c", f"{look} && echo done"), timeout=CALL_WITHIN
        )
        lines = done.stdout.decode().splitlines()
        found = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        assert of_mask(int(found["CapEff"], 16)) == Host.look().capabilities > DEFAULT
        assert found["Seccomp"] == "2"
        assert {"filtered", "done"} <= set(lines)
        ordinary = exec_service_pb2.ExecSyncRequest(
            container=box.id,
            spec=exec_service_pb2.ExecSpec(args=["ip", "link", "set", "lo", "mtu", "1300"]),
        )
        done = await open_wire.execs.ExecSync(ordinary, timeout=CALL_WITHIN)
        assert done.exec.exit.code != 0


async def test_the_command_shows_an_exec_and_ends_it(lenient: Moored, open_wire: Wire) -> None:
    async with open_wire.running(sleeper()) as box:
        words = ("exec", "--privileged", "-d", box.id, "sleep", "1000")
        code, out = await moorage(lenient, *words)
        assert code == 0
        (exec_id,) = out.split()
        _, shown = await moorage(lenient, "exec-inspect", exec_id)
        assert "privileged:  yes" in shown
        assert "command:     sleep 1000" in shown
        assert await moorage(lenient, "exec-kill", "-s", "TERM", exec_id) == (0, f"{exec_id}\n")
        _, text = await moorage(lenient, "exec-inspect", "--json", exec_id)
        while "exit" not in (known := json.loads(text)["exec"]):
            _, text = await moorage(lenient, "exec-inspect", "--json", exec_id)
        assert known["exit"]["code"] == 128 + 15
        code, _ = await moorage(lenient, "exec-inspect", "0" * 32)
        assert code == 1
