"""deploy/envoy/envoy.yaml as tests run it: what it does stays, and where things are changes."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from tests.real.certificates import Pair

FILE: Final = Path(__file__).parents[2] / "deploy" / "envoy" / "envoy.yaml"
_FAULTS: Final = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"


def written() -> Any:
    """Return the sample as it is."""
    return yaml.safe_load(FILE.read_text())


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the sample's parts are in a test."""

    own: Pair
    authority: Path
    """The certificate of the authority that all have theirs from."""
    upstream: tuple[str, int]
    collector: int = 1
    """A port. Nobody listens on 1."""


class Bootstrap:
    """The sample in other places; a test may change more of it, in the open."""

    def __init__(self, places: Places) -> None:
        self.tree: Final[Any] = deepcopy(written())
        self.listener: Final[Any] = self.tree["static_resources"]["listeners"][0]
        chain = self.listener["filter_chains"][0]
        self.connections: Final[Any] = chain["filters"][0]["typed_config"]
        self.moored, collector = self.tree["static_resources"]["clusters"]
        _move(self.tree["admin"], "127.0.0.1", 0)
        _move(self.listener, "127.0.0.1", 0)
        _move(_endpoint(self.moored), *places.upstream)
        _move(_endpoint(collector), "127.0.0.1", places.collector)
        _show(chain, places.own, places.authority)
        _show(self.moored, places.own, places.authority)

    @property
    def routes(self) -> dict[str, Any]:
        """What is done with each path. The last, "/", is for all others."""
        (host,) = self.connections["route_config"]["virtual_hosts"]
        return {"".join(route["match"].values()): route["route"] for route in host["routes"]}

    def look_often(self) -> None:
        """Ask moored for its health five times a second."""
        self.moored["health_checks"][0].update(interval="0.2s", no_traffic_interval="0.2s")

    def let_fail(self, percent: int, status: int = 503) -> None:
        """Answer so many of a hundred calls with an HTTP status, before moored hears of them."""
        abort = {"http_status": status, "percentage": {"numerator": percent}}
        filter_ = {
            "name": "envoy.filters.http.fault",
            "typed_config": {"@type": _FAULTS, "abort": abort},
        }
        self.connections["http_filters"].insert(0, filter_)


def _endpoint(cluster: Any) -> Any:
    (locality,) = cluster["load_assignment"]["endpoints"]
    (endpoint,) = locality["lb_endpoints"]
    return endpoint["endpoint"]


def _move(placed: Any, host: str, port: int) -> None:
    placed["address"] = {"socket_address": {"address": host, "port_value": port}}


def _show(connecting: Any, own: Pair, trusted: Path) -> None:
    common = connecting["transport_socket"]["typed_config"]["common_tls_context"]
    (certificate,) = common["tls_certificates"]
    certificate["certificate_chain"]["filename"] = str(own.certificate)
    certificate["private_key"]["filename"] = str(own.key)
    common["validation_context"]["trusted_ca"]["filename"] = str(trusted)
