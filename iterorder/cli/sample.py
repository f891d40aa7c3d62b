"""`iterorder sample`: draws from the stationary law, with their certificate."""

from __future__ import annotations

import argparse
import csv
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.cli import output
from iterorder.cli.dry_run import tell_cost
from iterorder.cli.options import add_command, add_out, number
from iterorder.cli.system_options import add_system, chosen_system
from iterorder.errors import InvalidInputError
from iterorder.files import whole_file
from iterorder.validation import as_seed

if TYPE_CHECKING:
    from iterorder.stationary import StationarySample

EXAMPLES = (
    "iterorder sample two_point_quadratic --step-size 0.5 --samples 1e5",
    "iterorder sample ar1 --set a=0.9 --set sigma=1 --samples 1000 --out ar1.csv",
    "iterorder sample --data points.csv --step-size 0.05 --ridge 0.1 --samples 1000 --tol 1e-6 --json sample.json",
    "iterorder sample barnsley_fern --samples 1e6 --dry-run",
)
#: Coordinates that the table shows, and the quantiles of each.
COORDINATES, QUANTILES = 12, (0.05, 0.5, 0.95)


def add_to(commands) -> None:
    """The arguments of the command."""
    parser = add_command(
        commands,
        "sample",
        run=run,
        help="draw certified samples of the stationary law",
        description="Draw independent samples of the stationary law: backward iterates, each with a bound of its "
        "distance to an exact draw. Print the certificate, what it rests on, the largest bound, and a summary.",
        examples=EXAMPLES,
        options=("seed", "backend", "dry-run"),
        fails="the system has no certificate, or the samples diverged",
    )
    add_system(parser)
    group = parser.add_argument_group("sample")
    group.add_argument("--samples", dest="n_samples", type=number, default=1000, metavar="N", help="default 1000")
    group.add_argument("--tol", type=number, default=1e-8, metavar="X", help="largest Euclidean error; default 1e-8")
    group.add_argument(
        "--failure-probability",
        type=number,
        default=1e-9,
        metavar="P",
        help="of the certificate probability, for each sample; default 1e-9",
    )
    group.add_argument("--max-steps", type=number, default=1_000_000, metavar="N", help="of a sample; default 1e6")
    add_out(group, "write the samples as .csv or .npz")


def run(arguments: argparse.Namespace) -> int:
    """Sample, write, print; the exit status."""
    from iterorder.stationary import stationary_sample

    output.check_targets(out=arguments.out, json=arguments.json)
    write = _writer(arguments.out)
    how = {"failure_probability": arguments.failure_probability, "max_steps": arguments.max_steps}
    how |= {"seed": as_seed(arguments.seed), "tol": arguments.tol, "backend": arguments.backend}
    entry = chosen_system(arguments)
    if arguments.dry_run:
        return _plan(arguments, entry, how)
    start = time.perf_counter()
    found = stationary_sample(entry.maps, arguments.n_samples, x0=entry.x0, **how, progress=True).to_numpy()
    seconds = time.perf_counter() - start
    unwritten = output.try_to_write("--out", arguments.out, lambda path: write(path, found))
    arguments.out = None if unwritten else arguments.out  # what is printed tells of files that are there
    content = _content(arguments, entry.name, found, seconds)
    output.deliver(arguments, content, lambda: _show(content), *unwritten)
    return output.OK


def _plan(arguments: argparse.Namespace, entry, how: dict[str, Any]) -> int:
    from iterorder.stationary.cost import estimate_sample_cost
    from iterorder.validation import as_int

    n_samples = as_int("n_samples", arguments.n_samples, low=1, high=2**32 - 3)
    cost = estimate_sample_cost(entry.maps, n_samples, x0=entry.x0, **how)
    what = f"{entry.name}: {n_samples:,} samples, tol {arguments.tol:g}"
    return tell_cost(arguments, what, cost.seconds, cost.bytes, {"system": entry.name})


def _writer(path: Path | None):
    """The function that writes a file of this suffix."""
    suffix = ".npz" if path is None else path.suffix.lower()
    if suffix not in (".csv", ".npz"):
        raise InvalidInputError(f"--out {path} has the suffix {suffix!r}: give the name of a .csv or .npz file")
    return _write_csv if suffix == ".csv" else lambda path, found: found.save(path)


def _columns(found: StationarySample) -> dict[str, np.ndarray]:
    """Coordinates, and of each sample its steps and its bound, or its spread where it has no bound."""
    columns = {f"x{k}": found.points[:, k] for k in range(found.points.shape[1])}
    bound = {"spread": found.spread} if found.certificate == "coalescence" else {"error_bound": found.error_bound}
    return {**columns, **bound, "n_steps": found.n_steps}


def _write_csv(path: Path, found: StationarySample) -> None:
    text, columns = io.StringIO(newline=""), _columns(found)
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))  # floats to their last digit
    with whole_file(path) as file:
        file.write(text.getvalue().encode())


def _content(arguments: argparse.Namespace, name: str, found: StationarySample, seconds: float) -> dict[str, Any]:
    """For JSON, and for the table."""
    return {
        "system": name,
        "n_samples": len(found.points),
        "dim": found.points.shape[1],
        "seed": found.seed,
        "tol": arguments.tol,
        "certificate": found.certificate,
        "rests_on": found.rests_on,
        "error_bound": float(found.error_bound.max()),
        "spread": float(found.spread.max()),
        "n_steps": [int(found.n_steps.min()), int(found.n_steps.max())],
        "mean": found.points.mean(axis=0),
        "std": found.points.std(axis=0, ddof=min(1, len(found.points) - 1)),
        "quantiles": {f"{share:g}": np.quantile(found.points, share, axis=0) for share in QUANTILES},
        "seconds": seconds,
        "out": arguments.out,
    }


def _show(content: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    console, view = output.console(), Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "mean", "std", *(f"{100 * share:g} %" for share in QUANTILES)):
        view.add_column(column, justify="right", no_wrap=True)
    for k in range(min(content["dim"], COORDINATES)):
        numbers = content["mean"][k], content["std"][k], *(found[k] for found in content["quantiles"].values())
        view.add_row(f"x{k}", *(f"{value:.6g}" for value in numbers))
    console.print(view)
    evidence = content["certificate"] == "coalescence"
    low, high = content["n_steps"]
    lines = [
        f"{content['system']}: {content['n_samples']:,} samples in dimension {content['dim']}, {low:,} to {high:,} "
        f"steps each, {content['seconds']:.2f} s",
        f"certificate: {content['certificate']}, rests on {content['rests_on']}",
        f"evidence only, no bound: starts that were tried are within {content['spread']:.3g} of each other"
        if evidence
        else f"each sample is within {content['error_bound']:.3g} of an exact draw",
    ]
    if content["dim"] > COORDINATES:
        lines.append(f"of {content['dim']} coordinates the first {COORDINATES} are shown")
    if content["out"] is not None:
        lines.append(f"written to {content['out']}")
    for line in lines:
        console.print(line, markup=False, highlight=False)
