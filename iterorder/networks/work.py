"""The units of a run, one after the other or side by side in threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress

from iterorder.networks.batches import Batches
from iterorder.networks.folder import Folder
from iterorder.networks.pace import OutOfTime, Pace
from iterorder.networks.plan import Unit, anchor_of, coarse_to_fine, steps_of, width_of
from iterorder.networks.training_request import Request, borders_of, workers_of
from iterorder.networks.walk import Found, Walk
from iterorder.progress import Progress, reported

#: Seconds between two looks at the threads.
NAP = 0.1


def computed(request: Request, where: Folder | None, limit: float | None, progress: Progress) -> dict[Unit, Found]:
    """What every unit found, as far as the time allows."""
    units = request.units()
    borders = borders_of(request, units)
    total = sum(steps_of(unit, request.order, request.saves) for unit in units)
    pace = Pace(total + sum(steps[-1] for steps in borders.values() if steps), limit)
    order = request.order
    walk = Walk(
        request.model,
        Batches(request.law, request.seed, request.n_sequences, max(1, request.n_steps)),
        request.seed,
        request.saves,
        anchor=anchor_of(order),
        width=width_of(order),
        keep_states=request.keep_states,
        pace=pace,
        folder=where,
    )
    found = {} if where is None else kept(units, where)
    todo = [unit for unit in coarse_to_fine(units) if unit not in found]
    for unit in found:
        pace.add(steps_of(unit, order, request.saves))
    if not todo:
        return found
    with suppress(OutOfTime), reported(progress, f"{order} training") as report:
        walk.report = report
        walk.lay_borders(borders)
        workers = workers_of(request, len(todo))
        found |= _alone(walk, todo) if workers == 1 else _side_by_side(walk, todo, workers, report)
        if len(found) < len(units):
            raise OutOfTime  # past the bar, which would tell that all is done
    return found


def kept(units: list[Unit], where: Folder) -> dict[Unit, Found]:
    """What the folder holds of the finished units."""
    read = {unit: where.read(_unit_name(unit)) for unit in units}
    return {unit: Found.of_arrays(arrays) for unit, arrays in read.items() if arrays is not None}


def _unit_name(unit: Unit) -> str:
    return f"unit-{unit.number:05d}"


def _one(walk: Walk, unit: Unit) -> Found | None:
    """What a unit found, also on disk; None where the time was over."""
    if walk.pace.is_over:
        return None
    try:
        found = walk.found(unit)
    except OutOfTime:
        return None
    if walk.folder is not None:
        walk.folder.write(_unit_name(unit), found.arrays())
        walk.folder.remove(f"half-{unit.number:05d}")
    return found


def _alone(walk: Walk, units: list[Unit]) -> dict[Unit, Found]:
    results = {unit: _one(walk, unit) for unit in units}
    return {unit: found for unit, found in results.items() if found is not None}


def _side_by_side(walk: Walk, units: list[Unit], workers: int, report: Callable | None) -> dict[Unit, Found]:
    """In threads: arrays are computed without the interpreter's lock. The main thread reports and hears Ctrl-C."""
    walk.report = None
    results: dict[Unit, Found] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="iterorder-train") as pool:
        waiting = {pool.submit(_one, walk, unit): unit for unit in units}
        try:
            while waiting:
                ready, _ = wait(waiting, timeout=NAP, return_when=FIRST_COMPLETED)
                for future in ready:
                    unit = waiting.pop(future)
                    if (found := future.result()) is not None:
                        results[unit] = found
                if report is not None:
                    report(walk.pace.share)
        except BaseException:
            walk.pace.stop.set()
            for future in waiting:
                future.cancel()
            raise
    return results
