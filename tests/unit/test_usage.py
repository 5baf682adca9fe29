"""What a run uses is read from either layout of cgroups, and what is not counted is not 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moored.network.interfaces import Traffic, parse
from moored.oci.usage import Cpu, Io, Memory, Pids, Usage, of_places

if TYPE_CHECKING:
    from pathlib import Path

V2 = {
    "cpu.stat": "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 7\n"
    "nr_throttled 2\nthrottled_usec 30\n",
    "memory.current": "5000\n",
    "memory.max": "max\n",
    "memory.peak": "9000\n",
    "memory.swap.current": "100\n",
    "memory.events": "low 0\noom 1\noom_kill 3\n",
    "memory.stat": "anon 2000\nfile 2500\ninactive_file 1200\n",
    "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
    "259:1 rbytes=5 wbytes=5 rios=1 wios=1\n253:0 \n",
    "pids.current": "4\n",
    "pids.max": "100\n",
}
V1 = {
    "cpuacct/cpuacct.usage": "1500000\n",
    "cpuacct/cpuacct.stat": "user 3\nsystem 2\n",
    "cpuacct/cpu.stat": "nr_periods 7\nnr_throttled 2\nthrottled_time 30000\n",
    "memory/memory.usage_in_bytes": "5000\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.max_usage_in_bytes": "9000\n",
    "memory/memory.memsw.usage_in_bytes": "5100\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "memory/memory.stat": "cache 1\nrss 1\ntotal_cache 2500\ntotal_rss 2000\n"
    "total_inactive_file 1200\n",
    "blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n"
    "259:1 Read 5\n259:1 Write 5\nTotal 40\n",
    "blkio/blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\n259:1 Read 1\n"
    "259:1 Write 1\nTotal 5\n",
    "pids/pids.current": "4\n",
    "pids/pids.max": "100\n",
}
MEMORY = Memory(
    usage=5000, inactive_file=1200, anonymous=2000, file=2500, peak=9000, swap=100, oom_kills=3
)


def laid_out(root: Path, files: dict[str, str]) -> list[Path]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return sorted({(root / name).parent for name in files})


def test_the_unified_layout_is_read(tmp_path: Path) -> None:
    assert of_places(laid_out(tmp_path, V2)) == Usage(
        cpu=Cpu(1_500_000, 1_000_000, 500_000, 7, 2, 30_000),
        memory=MEMORY,
        io=Io(15, 25, 2, 3),
        pids=Pids(4, 100),
    )


def test_the_layout_of_one_directory_a_controller_is_read(tmp_path: Path) -> None:
    assert of_places(laid_out(tmp_path, V1)) == Usage(
        cpu=Cpu(1_500_000, 30_000_000, 20_000_000, 7, 2, 30_000),
        memory=MEMORY,
        io=Io(15, 25, 2, 3),
        pids=Pids(4, 100),
    )


def test_a_host_with_both_has_each_controller_where_it_is(tmp_path: Path) -> None:
    memory = {name: text for name, text in V1.items() if name.startswith("memory/")}
    others = {f"unified/{name}": text for name, text in V2.items() if "memory" not in name}
    found = of_places(laid_out(tmp_path, memory | others))
    assert found.memory == MEMORY
    assert found.cpu == Cpu(1_500_000, 1_000_000, 500_000, 7, 2, 30_000)


def test_the_unified_directory_of_a_host_without_its_controllers_says_nothing(
    tmp_path: Path,
) -> None:
    bare = {"unified/cpu.stat": "", "unified/cgroup.procs": "1\n"}
    found = of_places(laid_out(tmp_path, V1 | bare))
    assert found.cpu == Cpu(1_500_000, 30_000_000, 20_000_000, 7, 2, 30_000)


def test_what_is_not_counted_is_none(tmp_path: Path) -> None:
    assert of_places([tmp_path]) == Usage()


def test_the_working_set_is_never_negative() -> None:
    assert Memory(usage=100, inactive_file=300).working_set == 0
    assert MEMORY.working_set == 3800


def test_traffic_is_read_but_that_of_loopback() -> None:
    table = (
        "Inter-|   Receive                |  Transmit\n"
        " face |bytes packets errs drop fifo frame compressed multicast|bytes ...\n"
        "    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
        "  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
        "eth1:10 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
    )
    assert parse(table) == (
        Traffic("eth0", 1, 2, 3, 4, 5, 6, 7, 8),
        Traffic("eth1", 10, 2, 3, 4, 5, 6, 7, 8),
    )


@pytest.mark.parametrize("table", ["", "eth0: 1 2\n", "nonsense\n"])
def test_a_table_that_is_none_holds_no_traffic(table: str) -> None:
    assert parse(table) == ()
