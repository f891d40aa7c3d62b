"""Write the tables of verified claims and of speeds into README.md, from the last reports.

`iterorder check --json reports/check.json` and `make benchmark` make the reports, `make benchmark-gpu` the one of a GPU
that is committed; a table without a report stays as it is. The figure of the speeds, figures/benchmark.png, is drawn
beside its table.
`make benchmark ARGS="forward --without-avx512 --json reports/benchmark-avx2.json"` makes one more report.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from iterorder.files import whole_file

ROOT = Path(__file__).resolve().parents[1]


def claims_block(report: dict) -> str:
    """For each claim, as Markdown: how many comparisons passed, its first one, and its first control."""
    rows = report["rows"]
    lines = [
        f"Version {report['version']}, {report['effort']} effort, seed {report['seed']}: {len(rows)} comparisons, "
        "of which the first of each claim and its first control are shown.",
        "",
        "| claim | passed | comparison | predicted | measured | tolerance | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for claim in dict.fromkeys(row["claim"] for row in rows):
        mine = [row for row in rows if row["claim"] == claim]
        judged = [row for row in mine if row["verdict"] != "skipped"]
        passed = sum(row["verdict"] == "pass" for row in judged)
        shown = [next((row for row in judged if row["kind"] == kind), None) for kind in ("claim", "control")]
        for row, name in zip(shown, (f"{claim} | {passed}/{len(judged)}", " | "), strict=True):
            if row is not None:
                lines.append(f"| {name} | {_claim(row)} |")
    return "\n".join(lines)


def _claim(row: dict) -> str:
    text = f"{row['system']}: {row['quantity']}".replace("|", "\\|")
    sign = "" if row["relation"] == "=" else f"{row['relation']} "
    verdict = row["verdict"]
    if row["kind"] == "control":
        text, verdict = f"*control*, {text}", "rejected" if verdict == "pass" else "not rejected"
    numbers = f"{sign}{_short(row['predicted'], 5)} | {_short(row['measured'], 5)} | {_short(row['uncertainty'], 2)}"
    return f"{text} | {numbers} | {verdict}"


def _short(number: float | None, digits: int) -> str:
    return "–" if number is None else f"{number:.{digits}g}"


def benchmark_block(report: dict, narrow: dict | None) -> str:
    """Ratios of each comparison, then the times of a start; `narrow` is the report with AVX-512 switched off."""
    packages = ", ".join(f"{name} {version}" for name, version in report["packages"].items())
    lines = [f"{report['machine']}; {report['rounds']} rounds; {packages}.", ""]
    forward = ("C limit", "C, same bits", "JAX tuned", "JAX plain", "NumPy")
    backward = ("compiled loop", "own kernels, each n", "exact sweep")
    lines += _comparisons("forward, 10⁹ maps/s", report["forward"], forward)
    if narrow is not None:
        lines += [f"{narrow['machine']}; {narrow['rounds']} rounds.", ""]
        lines += _comparisons("forward with AVX2, 10⁹ maps/s", narrow["forward"], forward[:3])
    lines += _comparisons("all backward iterates to 2000, trajectories/s", report["backward"], backward)
    lines += _comparisons("distances, 1/s", report["distances"], ("SciPy", "POT"))
    lines += ["| from the start of the process | seconds (least–largest) |", "|---|---|"]
    for row in report["start"]:
        s = row["seconds"]
        lines.append(f"| {row['work']} | {s['median']:.2f} ({s['low']:.2f}–{s['high']:.2f}) |")
    return "\n".join(lines)


def _comparisons(title: str, rows: list[dict], peers: tuple[str, ...]) -> list[str]:
    lines = [f"| {title} | iterorder | {' | '.join(f'÷ {peer}' for peer in peers)} |", "|---" * (len(peers) + 2) + "|"]
    for row in rows:
        cells = [_ratio(row["ratios"].get(peer)) for peer in peers]
        name = row["work"].removeprefix("backward, ")
        lines.append(f"| {name} | {row['speeds']['iterorder']['median']:.3g} | {' | '.join(cells)} |")
    return [*lines, ""]


def _ratio(ratio: dict | None) -> str:
    return "" if ratio is None else f"{ratio['median']:.3g} ({ratio['low']:.2g}–{ratio['high']:.2g})"


def gpu_block(report: dict) -> str:
    """Speeds of each work on the GPU, and their ratios to those of the peers."""
    machine = report["machine"]
    device, driver = machine["nvidia-smi"].split(", ")[:2]
    versions = ", ".join(f"{name} {machine['packages'][name]}" for name in ("numba-cuda", "cupy", "numba"))
    threads = machine["threads"]
    peers = {"JAX tuned": "JAX tuned", f"{threads} threads": f"cpu, {threads} threads", "2 threads": "cpu, 2 threads"}
    lines = [
        f"{machine['date'][:10]}, {device} (driver {driver}), {versions}, jax {machine['jax']}; JAX on the same GPU, "
        f"threads of the processor beside it ({machine['processor']['name']}); medians of five calls, networks once, "
        "whose steps take as long for few iterates, or small layers, as for many.",
        "",
        f"| on a GPU | iterorder | {' | '.join(f'÷ {peer}' for peer in peers)} |",
        "|---" * (len(peers) + 2) + "|",
    ]
    for row in report["speed"]:
        # The processor's steps of networks have become faster since, and are measured by benchmarks/networks.py.
        ratios = {} if row["work"].startswith("MLP") else row["ratios"]
        cells = [_short(ratios.get(peer), 3).replace("–", "") for peer in peers.values()]
        speed = row["speeds"]["cuda"]["median"]
        shown = f"{speed:,.0f}" if speed >= 1000 else f"{speed:.3g}"
        name = f"{row['work']} to n = 2000" if row["work"].startswith("MLP") else row["work"]
        lines.append(f"| {name} | {shown} {row['unit']} | {' | '.join(cells)} |")
    return "\n".join(lines)


#: The table of each name: its reports, in the folder of reports or by their path, and what it says.
BLOCKS: dict[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "claims": (("check.json",), claims_block),
    "speeds": (("benchmark.json", "benchmark-avx2.json"), benchmark_block),
    "speeds on a GPU": (("benchmarks/gpu.json",), gpu_block),
}


def _report(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main(folder: str = "reports") -> int:
    """Replace what stands between the markers of each table that has a report."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, (reports, block_of) in BLOCKS.items():
        paths = [ROOT / (report if "/" in report else f"{folder}/{report}") for report in reports]
        if not paths[0].exists():
            print(f"{paths[0].relative_to(ROOT)} is not there: the table of {name} stays as it is", file=sys.stderr)
            continue
        begin, end = f"<!-- {name}: written by scripts/update_readme.py -->", f"<!-- end of {name} -->"
        block = f"{begin}\n{block_of(*map(_report, paths))}\n{end}"
        parts = re.split(f"{re.escape(begin)}.*?{re.escape(end)}", text, flags=re.DOTALL)
        if len(parts) != 2:
            print(f"README.md has {len(parts) - 1} tables of {name} between markers: expected one", file=sys.stderr)
            return 1
        text = block.join(parts)
    with whole_file(readme) as file:
        file.write(text.encode())
    _draw_speeds(_report(ROOT / folder / "benchmark.json"))
    return 0


def _draw_speeds(report: dict | None) -> None:
    """The figure beside the table of speeds, of a report that has all of its sections."""
    if report is not None and {"forward", "backward", "scaling"} <= report.keys():
        sys.path.insert(0, str(ROOT / "benchmarks"))
        from figure import draw

        draw(report, ROOT / "figures")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
