"""Real data that need no download: two classical sets from scikit-learn's package files, standardised.

A column of features has mean 0 and variance 1 (divisor n), so that the curvature of the squared error, the mean of
aaᵀ, is the correlation matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.errors import BackendUnavailableError
from iterorder.types import FloatArray
from iterorder.validation import read_only


def diabetes() -> tuple[FloatArray, FloatArray]:
    """Progression of diabetes in 442 patients from ten measurements [1]_, for linear regression.

    Returns
    -------
    features : ndarray, shape (442, 10)
        Standardised, read-only.
    targets : ndarray, shape (442,)
        Standardised, read-only.

    Raises
    ------
    BackendUnavailableError
        If scikit-learn is not installed.

    Notes
    -----
    The smallest eigenvalue of the mean of aaᵀ is 0.0086, and batch-1 SGD without ridge is mean-square stable for step
    sizes below 0.143 (theory.md, law 7).

    References
    ----------
    .. [1] Efron, Hastie, Johnstone, Tibshirani (2004), Least angle regression, Annals of Statistics 32(2).
    """
    features, targets = _sklearn_datasets().load_diabetes(return_X_y=True, scaled=False)
    return standardised(features), standardised(targets)


def breast_cancer() -> tuple[FloatArray, FloatArray]:
    """Diagnosis of 569 breast tumours from thirty measurements of cell nuclei [1]_, for logistic regression.

    Returns
    -------
    features : ndarray, shape (569, 30)
        Standardised, read-only.
    labels : ndarray, shape (569,)
        1 for benign, −1 for malignant, read-only.

    Raises
    ------
    BackendUnavailableError
        If scikit-learn is not installed.

    Notes
    -----
    The largest squared norm of a row is 422: without ridge every map of the logistic loss is a contraction in the wide
    sense for step sizes up to 8/422 = 0.019 (theory.md, law 7).

    References
    ----------
    .. [1] Street, Wolberg, Mangasarian (1993), Nuclear feature extraction for breast tumor diagnosis, SPIE 1905.
    """
    features, targets = _sklearn_datasets().load_breast_cancer(return_X_y=True)
    return standardised(features), read_only(2.0 * targets - 1.0)


def standardised(columns: FloatArray) -> FloatArray:
    """Each column less its mean and over its standard deviation (divisor n), read-only.

    Examples
    --------
    >>> standardised(np.array([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """
    columns = np.asarray(columns, np.float64)
    return read_only((columns - columns.mean(axis=0)) / columns.std(axis=0))


def _sklearn_datasets() -> Any:
    """scikit-learn takes a second to import, and is optional: only a call pays for it."""
    try:
        import sklearn.datasets
    except ImportError as error:
        what = "real data: scikit-learn is not installed: pip install iterorder[data]"
        raise BackendUnavailableError(what) from error
    return sklearn.datasets
