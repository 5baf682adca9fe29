"""The law: alerts and dashboards ask for what is measured; each alert is tested and explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
PLACE = PROJECT / "deploy" / "telemetry"
BOARDS = sorted((PLACE / "grafana" / "dashboards").glob("*.json"))
DOCUMENT = (PROJECT / "docs" / "metrics.md").read_text()
ADVICE = (PROJECT / "docs" / "monitoring.md").read_text()
OF_PROMETHEUS = {"up", "ALERTS"}
UNITS = {"s": "_seconds", "By": "_bytes"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for group in read(PLACE / "alerts.yaml")["groups"] for rule in group["rules"]]


def expressions(board: Path) -> Iterator[str]:
    content = json.loads(board.read_text())
    for variable in content["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])
        assert found is not None
        yield found[1]
    for panel in content["panels"]:
        yield from (target["expr"] for target in panel["targets"] if "expr" in target)


def asked_for(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    bare = re.sub(r"\"[^\"]*\"|by \([^)]*\)", "", re.sub(r"\s+", " ", expression))
    names = re.findall(r"\b([a-z_]+_[a-z_]+|up)(?= ?[\[{]|\)| |$)", bare)
    functions = {"histogram_quantile"}
    return {name for name in names if name not in functions}


def measured() -> set[str]:
    """Return all that Prometheus may be asked for, by the document."""
    found = set()
    for name, unit in re.findall(r"^\| `([\w.]+)` \| (\S+) \|", DOCUMENT, re.MULTILINE):
        stem = name.replace(".", "_") + UNITS.get(unit, "")
        found |= {stem, f"{stem}_total", f"{stem}_bucket", f"{stem}_count", f"{stem}_sum"}
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_measured_and_is_tested_and_explained(
    rule: dict[str, Any],
) -> None:
    asked = asked_for(rule["expr"])
    assert asked
    assert asked - OF_PROMETHEUS <= measured()
    assert f'alertname="{rule["alert"]}"' in (PLACE / "alerts_test.yaml").read_text()
    assert re.search(rf"^### {rule['alert']}$", ADVICE, re.MULTILINE)
    assert set(rule["annotations"]) == {"summary", "description"}


def test_no_alert_is_explained_that_is_not_there() -> None:
    assert re.findall(r"^### (\w+)$", ADVICE, re.MULTILINE) == [rule["alert"] for rule in rules()]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_dashboard_asks_for_what_is_measured(board: Path) -> None:
    asked = set[str]().union(*(asked_for(expression) for expression in expressions(board)))
    assert asked
    assert asked <= measured()


def test_no_image_of_the_stack_moves_under_its_users() -> None:
    services = read(PROJECT / "docker-compose.yml")["services"]
    images = {service["image"] for service in services.values() if "build" not in service}
    assert images
    assert all(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image) for image in images)


def test_what_the_stack_mounts_from_here_is_here() -> None:
    services = read(PROJECT / "docker-compose.yml")["services"]
    mounted = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if isinstance(volume, str) and volume.startswith("./")
    ]
    assert mounted
    assert [path for path in mounted if not (PROJECT / path).exists()] == []


def test_a_dashboard_asks_the_data_sources_that_are_provisioned() -> None:
    known = {
        (source["type"], source["uid"])
        for source in read(PLACE / "grafana/provisioning/datasources/datasources.yaml")[
            "datasources"
        ]
    }
    for board in BOARDS:
        sources = re.findall(r'"type": "(prometheus|jaeger)",\s+"uid": "(\w+)"', board.read_text())
        assert sources
        assert set(sources) <= known


def test_the_collector_that_tests_build_is_of_the_release_that_compose_runs() -> None:
    image = read(PROJECT / "docker-compose.yml")["services"]["collector"]["image"]
    modules = (PROJECT / "tests" / "stack" / "collector" / "go.mod").read_text()
    assert f"go.opentelemetry.io/collector/otelcol v{image.partition(':')[2]}\n" in modules
