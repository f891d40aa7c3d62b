"""The model of many workers against its bounds, and the files for clusters."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from iterorder.sweeps.driver import BlockSize
from iterorder.sweeps.engines.dask import TASK_SECONDS
from tests.test_sweeps_engines import outcomes

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = ROOT / "examples" / "cluster"
sys.path.insert(0, str(ROOT / "benchmarks"))

from sweep_scaling import efficiency  # noqa: E402


@pytest.mark.parametrize(
    ("workers", "block", "cost"), [(1, 0.5, 0.01), (50, 1.0, 0.005), (1000, 0.5, 0.01), (100, 1.0, 0.02)]
)
def test_workers_compute_as_much_as_the_server_allows(workers, block, cost):
    """No more than the share b/(W·c), and nearly that, or nearly all, away from where both are equal."""
    found, bound = efficiency(workers, block, cost), min(1.0, block / (workers * cost))
    # Each worker begins with two blocks that the server has not paid for in the simulation: of fifty.
    assert found <= min(1.0, bound * (1.0 + 2.0 / 48.0))
    assert found >= 0.95 * bound


def test_a_thousand_workers_need_blocks_of_many_seconds():
    assert efficiency(1000, 0.5, 0.01) < 0.06
    assert efficiency(1000, 2.0 * 1000 * 0.01, 0.01) > 0.95


def test_the_page_has_the_numbers_that_were_measured():
    """Those of the committed file, and of the simulation with its cost."""
    held = json.loads((ROOT / "benchmarks" / "sweep_scaling.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    for name, cells in (("compute", "that compute for some 10 ms"), ("nap", "that sleep for 10 ms")):
        times = held[name]
        assert f"| {cells} | {times['1']:.2f} | {times['2']:.2f} | {times['speedup']:.2f} |" in page
    assert f"load average {held['load_before'][0]:.1f} before, {held['load_after'][0]:.1f} after" in page
    cost = held["dask_block_seconds"]
    assert f"cost {1000 * cost:.1f} ms" in page
    for workers in (10, 100, 1000):
        shares = [efficiency(workers, block, cost) for block in (0.5, 2.0, 10.0, 30.0)]
        assert f"| {workers} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |" in page


def test_dask_makes_blocks_longer_with_its_workers():
    size = BlockSize(0.5)
    for _ in range(20):
        size.saw(outcomes(0.01, size.cells(10**6)))
    assert size.cells(10**6, TASK_SECONDS * 10) == 50
    for _ in range(20):
        size.saw(outcomes(0.01, size.cells(10**6, TASK_SECONDS * 1000)))
    assert size.cells(10**6, TASK_SECONDS * 1000) == 2000


@pytest.mark.parametrize("name", ["slurm.sh", "gpus.sh"])
def test_scripts_are_bash_and_call_what_is_there(name):
    text = (CLUSTER / name).read_text(encoding="utf-8")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    assert subprocess.run([bash, "-n", CLUSTER / name], check=False).returncode == 0
    joined = text.replace("\\\n", " ")
    for command in re.findall(r"^(?:.*\s)?(dask (?:scheduler|worker) .*?)(?: &)?$", joined, re.MULTILINE):
        words = command.split()
        told = subprocess.run(
            [sys.executable, "-m", "dask", words[1], "--help"], capture_output=True, text=True, check=True
        ).stdout
        for option in (word for word in words if word.startswith("--")):
            assert re.search(rf"{re.escape(option)}\b", told), option
    (sweep,) = re.findall(r"^iterorder (sweep .*?)(?: &)?$", joined, re.MULTILINE)
    check_command(sweep.split())


def check_command(words: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "iterorder", words[0], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in (word for word in words if word.startswith("--")):
        assert option in told


def test_slurm_says_what_it_needs():
    text = (CLUSTER / "slurm.sh").read_text(encoding="utf-8")
    given = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", text, re.MULTILINE))
    assert {"ntasks", "cpus-per-task", "time", "signal"} <= given.keys()
    assert int(given["ntasks"]) > 1


def test_kubernetes_parts_fit_together():
    parts = list(yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8")))
    kinds = [part["kind"] for part in parts]
    assert kinds == ["Deployment", "Service", "NetworkPolicy", "Deployment", "Job"]
    scheduler, service, policy, workers, client = parts
    assert service["spec"]["selector"] == scheduler["spec"]["template"]["metadata"]["labels"]
    port = service["spec"]["ports"][0]["port"]
    address = f"tcp://{service['metadata']['name']}:{port}"
    for part in (workers, client):
        pod = part["spec"]["template"]["spec"]
        command = pod["containers"][0]["command"]
        assert address in command
        named = {mount["name"] for mount in pod["containers"][0].get("volumeMounts", [])}
        assert named == {volume["name"] for volume in pod.get("volumes", [])}
    for part in (scheduler, workers):
        assert part["spec"]["selector"]["matchLabels"] == part["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= service["spec"]["selector"].items()
    command = client["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[0] == "iterorder"
    check_command(command[1:])
