"""Somebody with grpcurl and nothing else finds out what there is, and uses all of it."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.real.grpcurl import Grpcurl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.moored import Moored

pytestmark = pytest.mark.real

SERVICE = "moorage.v1.ContainerService"
EXECS = "moorage.v1.ExecService"
IMAGES = "moorage.v1.ImageService"
NOT_FOUND = 64 + 5
METHODS = {
    *("Create", "Start", "Inspect", "List", "Stop", "Wait", "Cleanup", "Logs", "Kill", "Pause"),
    *("Resume", "Restart", "Rename", "Update", "Prune", "Watch", "Attach", "Audit", "Stats"),
}
SLEEPER = {"image": "busybox", "command": ["/bin/sleep", "100000"]}


@pytest.fixture
def grpcurl(moored: Moored) -> Grpcurl:
    return Grpcurl(moored.socket)


@pytest.fixture
def running(grpcurl: Grpcurl) -> Iterator[dict[str, Any]]:
    container = grpcurl.call(f"{SERVICE}/Start", {"spec": SLEEPER}).answer["container"]
    yield container
    _remove(grpcurl, container)


def test_list_shows_every_service_and_the_standard_ones(grpcurl: Grpcurl) -> None:
    assert {SERVICE, EXECS, IMAGES, "grpc.health.v1.Health"} <= set(grpcurl.list())


def test_list_of_a_service_shows_its_methods(grpcurl: Grpcurl) -> None:
    methods = {method.rpartition(".")[2] for method in grpcurl.list(SERVICE)}
    assert methods == METHODS | {"GetServerInfo"}
    images = {method.rpartition(".")[2] for method in grpcurl.list(IMAGES)}
    assert images == {"Import", "List", "Remove"}


def test_a_command_is_executed_to_its_end(grpcurl: Grpcurl, running: dict[str, Any]) -> None:
    """As README says."""
    spec = {"args": ["sh", "-c", "echo hello; exit 3"]}
    request = {"container": running["id"], "spec": spec, "timeout": "10s"}
    answer = grpcurl.call(f"{EXECS}/ExecSync", request).answer
    assert base64.b64decode(answer["stdout"]) == b"hello\n"
    assert answer["exec"]["exit"]["code"] == 3
    assert answer["exec"]["end_reason"] == "EXEC_END_REASON_EXITED"


def test_describe_shows_what_a_message_holds(grpcurl: Grpcurl) -> None:
    described = grpcurl.describe("moorage.v1.StartRequest")
    assert re.search(r"oneof target", described)
    assert re.search(r"ContainerSpec spec = 2", described)
    assert "rpc Start" in grpcurl.describe(SERVICE)


def test_the_health_service_says_serving(grpcurl: Grpcurl) -> None:
    answer = grpcurl.call("grpc.health.v1.Health/Check", {"service": SERVICE}).answer
    assert answer == {"status": "SERVING"}


def test_start_inspect_logs_and_cleanup_with_reflection_alone(grpcurl: Grpcurl) -> None:
    spec = {"image": "busybox", "command": ["/bin/sh", "-c", "echo ahoy; exit 9"]}
    started = grpcurl.call(f"{SERVICE}/Start", {"spec": spec}).answer["container"]
    reference = {"container": started["id"]}
    parts = grpcurl.call(f"{SERVICE}/Logs", {**reference, "follow": True}).answers
    waited = grpcurl.call(f"{SERVICE}/Wait", {**reference, "timeout": "30s"}).answer
    inspected = grpcurl.call(f"{SERVICE}/Inspect", reference).answer["container"]
    cleaned = grpcurl.call(f"{SERVICE}/Cleanup", {**reference, "remove": True}).answer
    assert started["status"]["run"] == 1
    assert b"".join(base64.b64decode(part.get("data", "")) for part in parts) == b"ahoy\n"
    assert waited["reached"]
    assert inspected["status"]["state"] == "CONTAINER_STATE_EXITED"
    assert inspected["status"]["exit"]["code"] == 9
    assert cleaned["complete"]
    assert grpcurl.call(f"{SERVICE}/Inspect", reference).code == NOT_FOUND


def test_logs_come_as_lines_on_request(grpcurl: Grpcurl) -> None:
    spec = {"image": "busybox", "command": ["/bin/sh", "-c", "echo one; echo two"]}
    started = grpcurl.call(f"{SERVICE}/Start", {"spec": spec}).answer["container"]
    request = {"container": started["id"], "follow": True, "format": "LOG_FORMAT_LINES"}
    parts = grpcurl.call(f"{SERVICE}/Logs", request).answers
    _remove(grpcurl, started)
    assert [part["line"] for part in parts if "line" in part] == ["one", "two"]


def test_a_wrong_image_is_not_found_and_says_its_reason(grpcurl: Grpcurl) -> None:
    said = grpcurl.call(f"{SERVICE}/Start", {"spec": {"image": "no/such:image"}})
    assert said.code == NOT_FOUND
    assert "Code: NotFound" in said.err
    assert "IMAGE_NOT_FOUND" in said.err
    assert '"domain": "moorage"' in said.err or '"domain":"moorage"' in said.err


def test_create_list_and_start_by_name(grpcurl: Grpcurl) -> None:
    spec = {**SLEEPER, "name": "curled"}
    created = grpcurl.call(f"{SERVICE}/Create", {"spec": spec}).answer["container"]
    listed = grpcurl.call(f"{SERVICE}/List", {"page_size": 1000}).answer["containers"]
    started = grpcurl.call(f"{SERVICE}/Start", {"container": "curled"}).answer
    again = grpcurl.call(f"{SERVICE}/Start", {"container": "curled"}).answer
    _remove(grpcurl, created)
    assert created["id"] in {container["id"] for container in listed}
    assert started["container"]["status"]["state"] == "CONTAINER_STATE_RUNNING"
    assert "already_running" not in started
    assert again["already_running"]


def test_stop_takes_its_time_from_the_call(grpcurl: Grpcurl, running: dict[str, Any]) -> None:
    request = {"container": running["id"], "timeout": "0s"}
    stopped = grpcurl.call(f"{SERVICE}/Stop", request).answer["container"]
    assert stopped["status"]["exit"] == {
        **stopped["status"]["exit"],
        "code": 137,
        "origin": "EXIT_ORIGIN_SIGNAL",
        "signal": 9,
    }


def test_server_info_names_instance_and_runtimes(grpcurl: Grpcurl, moored: Moored) -> None:
    info = grpcurl.call(f"{SERVICE}/GetServerInfo").answer
    assert info["instance"] == moored.instance
    assert info["runtimes"][0]["name"] == "runc"


def test_images_are_imported_listed_and_removed(grpcurl: Grpcurl, archive: Path) -> None:
    content = archive.read_bytes()
    name = "docker.io/library/curled:1"
    parts: list[Any] = [{"options": {"name": name}}]
    parts += [
        {"chunk": base64.b64encode(content[start : start + 2**19]).decode()}
        for start in range(0, len(content), 2**19)
    ]
    imported = grpcurl.call(f"{IMAGES}/Import", parts).answer
    listed = grpcurl.call(f"{IMAGES}/List").answer["images"]
    grpcurl.call(f"{IMAGES}/Remove", {"image": "curled:1"}).answer  # noqa: B018
    again = grpcurl.call(f"{IMAGES}/Remove", {"image": "curled:1"})
    assert [image["name"] for image in imported["images"]] == [name]
    assert name in {image["name"] for image in listed}
    assert again.code == NOT_FOUND
    assert "IMAGE_NOT_FOUND" in again.err


def _remove(grpcurl: Grpcurl, container: dict[str, Any]) -> None:
    request = {"container": container["id"], "force": True, "remove": True}
    assert grpcurl.call(f"{SERVICE}/Cleanup", request).answer["complete"]
