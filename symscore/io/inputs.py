"""What a caller of the estimator hands over, checked and converted."""

import secrets
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in as feature_names_of
from sklearn.utils.validation import validate_data

from symscore.arrays import FloatArray
from symscore.errors import BadData


def finite_rows(estimator: BaseEstimator, X: Any, *, reset: bool = False) -> FloatArray:
    """Return X as finite float64 rows; scikit-learn's own message names no cell.

    Parameters
    ----------
    estimator : BaseEstimator
        Remembers names and number of columns with `reset`, and otherwise requires them.
    X : (n, d) array or DataFrame
    reset : bool
        Whether to fit; two rows are then the fewest.

    Raises
    ------
    BadData
        Naming the first cell that is not finite; on too few rows, or other columns than those of
        the fit.
    """
    try:
        points = validate_data(
            estimator,
            X,
            dtype=np.float64,
            reset=reset,
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite=False,
        )
    except ValueError as error:  # of shape, number of rows or names, in scikit-learn's words
        raise BadData(str(error)) from error
    bad = np.argwhere(~np.isfinite(points))
    if len(bad):
        row, column = bad[0]
        shown = "NaN" if np.isnan(points[row, column]) else "inf"
        raise BadData(
            f"Expected finite numbers; got {shown} at row {row}, column "
            f"{feature_names_of(estimator)[column]!r} ({len(bad)} such cells): leave those rows "
            "out."
        )
    return points


def group_labels(groups: Any, n: int) -> FloatArray:
    """Return the number of each row's group, shape (n,), in the order of the labels."""
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise BadData(f"Expected groups of shape ({n},); got {labels.shape}.")
    return np.unique(labels, return_inverse=True)[1].astype(np.float64)


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Return the seed that a random_state stands for; a fresh one for None."""
    if random_state is None:
        return secrets.randbits(32)
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))
