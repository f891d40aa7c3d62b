"""The plan of the potentials of entropic transport: what Sinkhorn's iteration and Newton's steps share.

With the potentials f (n,) and g (m,), the strength η and equal weights the plan is
P_ij = exp((f_i + g_j − c_ij)/η)/nm.
"""

from __future__ import annotations

import numpy as np


def softmin(cost: np.ndarray, f: np.ndarray, strength: float) -> np.ndarray:
    """g_j = −η log mean_i exp((f_i − c_ij)/η): the columns then have their masses exactly."""
    return balanced(cost, f, strength)[0]


def balanced(cost: np.ndarray, f: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """g, the softmin of f, and the plan of both, from one pass of exponentials: its columns sum to 1/m."""
    plan = (f[:, None] - cost) / strength
    largest = plan.max(axis=0)
    plan -= largest
    np.exp(plan, out=plan)
    sums = plan.sum(axis=0)
    plan *= 1.0 / (sums * cost.shape[1])
    return -strength * (largest + np.log(sums / len(f))), plan
