"""A real moored behind TLS: the command and grpcurl come in with a certificate, as docs say."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.real.grpcurl import BINARY
from tests.real.vouching import Authority

if TYPE_CHECKING:
    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN = 30
MOORAGE = str(Path(sys.executable).parent / "moorage")


def _said(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WITHIN, check=False
    )


def test_a_viewer_comes_in_by_the_command_and_by_grpcurl(site: Site, tmp_path: Path) -> None:
    authority = Authority()
    cert, key, ca = (str(tmp_path / name) for name in ("tls.crt", "tls.key", "ca.crt"))
    own, own_key = str(tmp_path / "own.crt"), str(tmp_path / "own.key")
    authority.server().write(Path(cert), Path(key))
    authority.client("spiffe://example.org/dash").write(Path(own), Path(own_key))
    Path(ca).write_bytes(authority.certificate)
    policy = tmp_path / "policy.toml"
    policy.write_text('[identities]\n"spiffe://example.org/dash" = "viewer"\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"localhost:{free.getsockname()[1]}"
    there = f"tls://{place}"
    daemon = site.moored(
        {"tls_cert": cert, "tls_key": key, "tls_client_ca": ca, "policy": str(policy)},
        flags=("--listen", there),
    )
    daemon.start()
    try:
        tls = ("--tls-ca", ca, "--tls-cert", own, "--tls-key", own_key)
        command = (MOORAGE, "-H", there, *tls)
        assert _said(*command, "ps").returncode == 0
        refused = _said(*command, "prune")
        assert "role 'viewer' may not" in refused.stderr
        stranger = _said(MOORAGE, "-H", there, "--tls-ca", ca, "ps")
        assert "cannot reach moored" in stranger.stderr
        grpcurl = (str(BINARY), "-cacert", ca, "-cert", own, "-key", own_key, place)
        listed = _said(*grpcurl, "moorage.v1.ContainerService/List")
        assert json.loads(listed.stdout) == {}, listed.stderr
        os.kill(daemon.pid, signal.SIGHUP)
        assert _said(*command, "ps").returncode == 0
    finally:
        daemon.stop()


def test_what_the_page_says_sets_it_up(site: Site, tmp_path: Path) -> None:
    """The commands make the certificates; the policy is the page's, but for its own paths."""
    page = (Path(__file__).parents[2] / "docs" / "authorization.md").read_text()
    commands = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True, timeout=WITHIN)
    tables = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    policy = tmp_path / "policy.toml"
    policy.write_text(next(table for table in tables if "[identities]" in table))
    files = {"tls_cert": "server.crt", "tls_key": "server.key", "tls_client_ca": "ca.crt"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        there = f"tls://localhost:{free.getsockname()[1]}"
    daemon = site.moored(
        {**{name: str(tmp_path / file) for name, file in files.items()}, "policy": str(policy)},
        flags=("--listen", there),
    )
    daemon.start()
    try:
        own = [str(tmp_path / name) for name in ("ca.crt", "client.crt", "client.key")]
        tls = ("--tls-ca", own[0], "--tls-cert", own[1], "--tls-key", own[2])
        assert _said(MOORAGE, "-H", there, *tls, "ps").returncode == 0
        assert "role 'viewer' may not" in _said(MOORAGE, "-H", there, *tls, "prune").stderr
    finally:
        daemon.stop()
