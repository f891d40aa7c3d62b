"""The sure certificate of a view in the words of the page, whose reader gives no arguments."""

from __future__ import annotations

from iterorder.certificates import SureCertificate, sure_certificate
from iterorder.errors import InvalidInputError, NotContractiveError
from iterorder.explore.frames import Scene
from iterorder.maps import RandomMaps
from iterorder.sampling import FreshNoise
from iterorder.validation import MAX_STEPS

#: The error that n* is told for.
TOL = 1e-8


def certificate(seen: Scene) -> dict:
    """Contraction, and n* from which a backward iterate surely moves less than `TOL`; or why there is none."""
    try:
        found: SureCertificate = sure_certificate(seen.maps, seen.start[None, :])
    except NotContractiveError:
        return {"reason": _why_none(seen.maps)}
    except InvalidInputError:
        return {"reason": "the start is so far from the law that the bound overflows"}
    depth = found.depth(TOL)
    if depth >= MAX_STEPS:
        return {"reason": f"every map contracts, but by so little that n* is beyond {MAX_STEPS:.2g} steps"}
    return {"contraction": found.contraction, "depth": depth, "tol": TOL}


def _why_none(maps: RandomMaps) -> str:
    if not maps.time_homogeneous:
        return "the maps change with n, as the step size has a schedule"
    stretches = maps.lipschitz_max
    if stretches is None:
        return "it needs a bound of how far any map stretches a distance, and none is known for these maps"
    law = maps.sampling_law
    if stretches < 1.0 and isinstance(law, FreshNoise):
        return f"each map draws fresh {law.noise} noise, for which no bound of the first move is known"
    return f"it needs maps that all shrink distances, and the largest Lipschitz constant of these is {stretches:.6g}"
