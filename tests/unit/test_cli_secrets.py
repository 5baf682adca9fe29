"""The law: a value is read on this side, and never stands on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from moorage.cli.secret_options import given, secret_fields
from moorage.v1.container_pb2 import Config, Secret

if TYPE_CHECKING:
    from pathlib import Path


def made(secrets: list[str], configs: list[str]) -> tuple[list[Secret], list[Config]]:
    options = {"secret": [given(s) for s in secrets], "config": [given(c) for c in configs]}
    fields = secret_fields(options)
    assert options == {}
    return fields["secrets"], fields["configs"]


def test_a_value_comes_from_a_file_or_a_variable_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"\xff\0word\n")
    monkeypatch.setenv("WORD", "of the environment")
    secrets, configs = made(
        [f"db,src={tmp_path / 'f'}", "id=token,env=WORD,target=/t,mode=0400,uid=7,gid=8"],
        [f"/app.toml,source={tmp_path / 'f'},mode=0"],
    )
    assert secrets == [
        Secret(name="db", value=b"\xff\0word\n"),
        Secret(name="token", value=b"of the environment", target="/t", mode=0o400, uid=7, gid=8),
    ]
    assert secrets[0].HasField("mode") is False
    assert configs == [Config(name="/app.toml", value=b"\xff\0word\n", mode=0)]
    assert configs[0].HasField("mode") is True


def test_an_empty_file_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (secret,), _ = made([f"s,src={tmp_path / 'empty'}"], [])
    assert secret.WhichOneof("source") == "value"


def test_a_file_of_the_servers_is_only_named() -> None:
    (secret,), _ = made(["s,file=/srv/secret"], [])
    assert secret == Secret(name="s", file="/srv/secret")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "src=x",
        ",src=x",
        "s,src=x,env=Y",
        "s,src=x,src=y",
        "s,src=x,color=red",
        "s,src=x,mode",
        "s,src=x,mode=9",
        "s,src=x,mode=rw",
        "s,src=x,uid=-1",
        "s,src=x,gid=99999999999",
        "s,value=word",
    ],
)
def test_what_is_unclear_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        given(text)


@pytest.mark.parametrize(
    "text", ["s,src=/nowhere/at/all", "s,env=NOT_IN_ANY_ENVIRONMENT", "s,src="]
)
def test_what_cannot_be_read_here_is_told(text: str) -> None:
    with pytest.raises(click.BadParameter):
        made([text], [])
