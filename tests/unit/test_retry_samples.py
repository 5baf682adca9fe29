"""The law: the samples in deploy/ retry what may be asked twice, and nothing else.

Read from the protos: what has a request_id happens once however often it is asked; what changes
something and has none is tried once; streams that are alive by heartbeats may last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import (
    container_service_pb2,
    exec_service_pb2,
    image_service_pb2,
    volume_service_pb2,
)
from tests.envoy.sample import FILE, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf import descriptor

READING: Final = {
    *("Inspect", "List", "Wait", "Audit", "GetServerInfo", "InspectExec", "ListExecs"),
}
SILENT: Final = {"Stats"}
"""Streams without heartbeats."""
SERVICE_CONFIG: Final = FILE.parents[1] / "grpc" / "service-config.json"
FILES: Final = (
    container_service_pb2,
    exec_service_pb2,
    image_service_pb2,
    volume_service_pb2,
)


def methods() -> Iterator[tuple[str, descriptor.MethodDescriptor]]:
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}", method


def routes() -> dict[str, Any]:
    listener = written()["static_resources"]["listeners"][0]
    connections = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (host,) = connections["route_config"]["virtual_hosts"]
    return {"".join(route["match"].values()): route["route"] for route in host["routes"]}


def repeatable() -> set[str]:
    return {
        path
        for path, method in methods()
        if not method.server_streaming
        and (method.name in READING or "request_id" in method.input_type.fields_by_name)
    }


def test_envoy_retries_what_may_be_asked_twice_and_nothing_else() -> None:
    retried = {
        path for path, does in routes().items() if "unavailable" in does["retry_policy"]["retry_on"]
    }
    assert retried == repeatable()


def test_a_client_by_the_service_config_does_too() -> None:
    (config,) = json.loads(SERVICE_CONFIG.read_text())["methodConfig"]
    assert {f"/{name['service']}/{name['method']}" for name in config["name"]} == repeatable()


def test_streams_with_heartbeats_end_when_they_fall_silent() -> None:
    wanted = {
        path for path, method in methods() if method.server_streaming and method.name not in SILENT
    }
    assert {path for path, does in routes().items() if does["idle_timeout"] != "0s"} == wanted


def test_no_route_has_a_deadline_of_its_own() -> None:
    for does in routes().values():
        assert does["timeout"] == "0s"
        assert does["max_stream_duration"] == {"grpc_timeout_header_max": "0s"}
