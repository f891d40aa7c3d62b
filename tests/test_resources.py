"""Threads and memory of a container: limits of the group of a process and of all groups above it."""

from __future__ import annotations

import os

import pytest

from iterorder import resources


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes a tree of control groups, and says in which of them this process is."""
    monkeypatch.setattr(resources, "CGROUP", tmp_path / "mounted")
    monkeypatch.setattr(resources, "OWN_GROUPS", tmp_path / "own")

    def write(own: str | None, **limits: str) -> None:
        for name, content in limits.items():
            folder, _, file = name.rpartition("/")
            (tmp_path / "mounted" / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / "mounted" / folder / file).write_text(content + "\n", encoding="utf-8")
        if own is not None:
            (tmp_path / "own").write_text(own, encoding="utf-8")
        resources.memory.cache_clear()
        resources._quota.cache_clear()

    yield write
    resources.memory.cache_clear()
    resources._quota.cache_clear()


def test_the_strictest_limit_on_the_way_up_holds(groups):
    groups(
        "0::/pod/box/job\n",
        **{
            "memory.max": "max",
            "pod/memory.max": "3000000",
            "pod/box/memory.max": "max",
            "pod/box/job/memory.max": "5000000",
            "pod/other/memory.max": "7",
            "pod/cpu.max": "max 100000",
            "pod/box/cpu.max": "200000 100000",
            "pod/box/job/cpu.max": "800000 100000",
            "pod/other/cpu.max": "100000 100000",
        },
    )
    assert resources.memory() == 3_000_000
    assert resources._quota() == 2


@pytest.mark.parametrize("own", [None, "", "0::/\n", "0::/../../far/away\n", "0::/not/mounted/here\n", "nonsense"])
def test_a_tree_that_begins_with_the_own_group_is_read_at_its_root(groups, own):
    groups(own, **{"memory.max": "4000000", "cpu.max": "50000 100000"})
    assert resources.memory() == 4_000_000
    assert resources._quota() == 1  # half a processor is one


def test_version_1_has_a_tree_for_each_controller(groups):
    groups(
        "5:memory:/box\n4:cpu,cpuacct:/box/job\n0::/\n",
        **{
            "memory/memory.limit_in_bytes": str(2**63 - 4096),
            "memory/box/memory.limit_in_bytes": "6000000",
            "cpu/box/cpu.cfs_quota_us": "300000",
            "cpu/box/cpu.cfs_period_us": "100000",
            "cpu/box/job/cpu.cfs_quota_us": "-1",
            "cpu/box/job/cpu.cfs_period_us": "100000",
        },
    )
    assert resources.memory() == 6_000_000
    assert resources._quota() == 3


def test_without_groups_there_is_the_machine(groups):
    groups("0::/box\n")
    assert resources._quota() == os.cpu_count()
    assert resources.memory() >= 2**28
