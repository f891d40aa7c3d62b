"""`iterorder rates`: convergence rates, saved or held against saved ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from iterorder._version import __version__
from iterorder.cli import output
from iterorder.cli.options import add_command, add_format
from iterorder.cli.rates_view import github_lines, print_rates
from iterorder.errors import InvalidInputError

if TYPE_CHECKING:
    from iterorder.gate.comparison import Comparison
    from iterorder.gate.systems_file import Entry

EXAMPLES = (
    "iterorder rates --systems my_systems.py --out baseline.json",
    "iterorder rates --systems my_systems.py --against baseline.json --json rates.json",
    "iterorder rates --systems my_systems.py --against baseline.json --rtol 0.05 --one-sided",
)


def add_to(commands) -> None:
    """The arguments of the command."""
    rates = add_command(
        commands,
        "rates",
        run=run,
        help="save convergence rates, or hold them against saved ones",
        description="Measure convergence rates by coupling. A system that the baseline has not (new) is shown and "
        "passes. --effort quick is to find changes of 5 %, full of 1.25 %.",
        examples=EXAMPLES,
        options=("seed", "effort", "backend"),
        fails="a rate differs from its baseline, cannot be fitted, or is of the baseline alone (gone)",
        changed={"seed": {"default": None, "help": "default: 0, and one more than that of the baseline"}},
    )
    rates.add_argument(
        "--out",
        "--save",
        dest="save",
        type=Path,
        metavar="FILE",
        help="write a baseline, also of a comparison that fails",
    )
    rates.add_argument("--against", type=Path, metavar="FILE", help="compare with a baseline")
    rates.add_argument(
        "--systems", type=Path, metavar="FILE.py", help="a Python file with SYSTEMS; default: the gallery"
    )
    rates.add_argument(
        "--rtol",
        type=float,
        default=None,
        metavar="X",
        help="with --against: a change within X of the rate is the same",
    )
    rates.add_argument("--one-sided", action="store_true", help="with --against: only a slower rate fails")
    rates.add_argument(
        "--expect-none",
        action="append",
        default=[],
        metavar="NAME",
        help="a system that is to have no rate: it fails when it has one; may be given again",
    )
    add_format(rates)


def run(arguments: argparse.Namespace) -> int:
    """Measure, compare, print, write; the exit status."""
    from iterorder.gate import baseline, comparison, rates
    from iterorder.gate.systems_file import own_systems, systems_of_file
    from iterorder.kernels.backends import as_backend
    from iterorder.validation import as_float

    _check_options(arguments)
    as_backend(arguments.backend)
    rtol = as_float("--rtol", arguments.rtol or 0.0, low=0.0)
    before, used = baseline.read(arguments.against) if arguments.against else ([], None)
    try:
        systems = own_systems() if arguments.systems is None else systems_of_file(arguments.systems)
    except FileNotFoundError as error:
        raise InvalidInputError(str(error)) from error
    _check_names(arguments.expect_none, systems)
    seed = _seed(arguments.seed, used)
    now = rates.measure(systems, seed=seed, effort=arguments.effort, backend=arguments.backend, progress=True)
    rows = comparison.compare(before, now, rtol=rtol, one_sided=arguments.one_sided, expect_none=arguments.expect_none)
    content = {"version": __version__, "seed": seed, "effort": arguments.effort}
    if arguments.against is None:
        passed, summary = _measured(rows, seed)
        content |= _as_measured(rows, passed)
    else:
        passed, summary = all(row.passed for row in rows), _summary(rows, arguments.against, used, seed)
        content |= _as_compared(rows, passed, arguments, used, rtol)
    fitted = [rate for rate in now if isinstance(rate, rates.MeasuredRate)]
    unwritten = output.try_to_write(
        "--save", arguments.save, lambda path: baseline.save(path, fitted, seed=seed, effort=arguments.effort)
    )

    def show() -> None:
        sought = rates.SOUGHT[arguments.effort] + rtol
        advice = "; --effort full, of the baseline too, sees more" if arguments.effort == "quick" else ""
        print_rates(rows, summary, compared=arguments.against is not None, sought=sought, advice=advice)
        if arguments.format == "github":
            for line in github_lines(rows, arguments.systems, compared=arguments.against is not None):
                print(line)

    output.deliver(arguments, content, show, *unwritten)
    return output.OK if passed else output.FAILED


def _check_options(arguments: argparse.Namespace) -> None:
    """Refuse what contradicts itself, before the work."""
    output.check_targets(save=arguments.save, json=arguments.json)
    if arguments.against is None:
        for option, given in (("--rtol", arguments.rtol is not None), ("--one-sided", arguments.one_sided)):
            if given:
                raise InvalidInputError(f"{option} is given without --against: it says how rates are compared")
        return
    for option, path in (("--save", arguments.save), ("--json", arguments.json)):
        if path is not None and path.resolve() == arguments.against.resolve():
            raise InvalidInputError(
                f"{option} {path} is the baseline of --against: a rate that has changed would replace the one that it "
                "is held against; give another file, and rename it when the change is wanted"
            )


def _check_names(names: list[str], systems: list[Entry]) -> None:
    known = [entry.name for entry in systems]
    for name in names:
        if name not in known:
            raise InvalidInputError(f"--expect-none {name!r} is no system: give one of {', '.join(map(repr, known))}")


def _seed(given: int | None, used: int | None) -> int:
    """The seed of this run: one more than that of the baseline, as independent noise is what the test rests on."""
    from iterorder.validation import MAX_SEED, as_seed

    if given is None:
        return 0 if used is None else (used + 1) % (MAX_SEED + 1)
    seed = as_seed(given)
    if seed == used:
        raise InvalidInputError(
            f"--seed {seed} is that of the baseline: both measurements would meet the same noise, and the test of "
            "their difference takes them for independent; leave --seed out, or give another"
        )
    return seed


def _measured(rows: list[Comparison], seed: int) -> tuple[bool, str]:
    """Whether rates are where they are to be, and a line that counts them."""
    from iterorder.gate.rates import Unfitted

    without = sum(isinstance(row.now, Unfitted) or row.verdict == "none" for row in rows)
    missing = f", {without} without one" if without else ""
    passed = all(row.passed for row in rows)
    return passed, f"{len(rows) - without} rates per step{missing}, 95 % intervals, seed {seed}"


def _summary(rows: list[Comparison], against: Path, used: int | None, seed: int) -> str:
    from iterorder.gate.comparison import VERDICTS
    from iterorder.gate.rates import LEVEL

    bad = "slower" if rows and rows[0].one_sided else "changed"
    counts = {kind: sum(row.verdict == kind for row in rows) for kind in VERDICTS}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count or kind in ("same", bad))
    return f"{told} beside {against}; chance of a false alarm at most {LEVEL:g} (seeds {used} and {seed})"


def _as_measured(rows: list[Comparison], passed: bool) -> dict[str, object]:
    """For JSON, where there is no baseline."""
    from dataclasses import asdict

    from iterorder.gate.rates import Unfitted

    found = [row.now for row in rows if row.now is not None]
    return {
        "passed": passed,
        "rates": [asdict(rate) for rate in found if not isinstance(rate, Unfitted)],
        "without_rate": [asdict(rate) for rate in found if isinstance(rate, Unfitted)],
    }


def _as_compared(rows: list[Comparison], passed: bool, arguments, used: int | None, rtol: float) -> dict[str, object]:
    from iterorder.gate.rates import LEVEL

    return {
        "passed": passed,
        "baseline": str(arguments.against),
        "baseline_seed": used,
        "level": LEVEL,
        "rtol": rtol,
        "one_sided": arguments.one_sided,
        "rows": [row.to_dict() for row in rows],
    }
