"""Variables that others determine: their joint draws have no density."""

from collections.abc import Mapping
from itertools import combinations_with_replacement

import numpy as np
from scipy.stats import rankdata

from symscore.arrays import FloatArray
from symscore.errors import BadData
from symscore.io.draws import Draws

ROWS, FEW = 2000, 20  # more say nothing new; of fewer, chance may order two columns alike
# Of a column's own spread; single precision leaves 1e-7, and columns so alike could not be learned.
EXACT = 1e-6
SUSPECT = 1e-4  # smallest singular value of unit columns: larger than any exact relation leaves
MOST_TERMS = 500  # thirty columns; a test of more would take longer than it is worth
ADVICE = (
    "Their joint draws have no density: leave it out, var_names=[...], and compute it from the "
    "others in the new model; with generating_model the free variables alone are taken."
)


def require_undetermined(draws: Draws, transforms: Mapping[str | tuple[str, ...], str]) -> None:
    r"""Raise BadData if a column is constant, or an exact function of others of these kinds.

    .. math:: x_j = f(x_i) \text{ with } f \text{ monotone}, \qquad
        x_j = a + \sum_i b_i x_i + \sum_{i \le k} c_{ik} x_i x_k,

    which are what most deterministics are made of: exp(x), mu + tau * eta, sums and differences.

    Parameters
    ----------
    draws : Draws
    transforms : mapping of column or columns to str
        The last column of a simplex, which the others determine, is passed over.

    Raises
    ------
    BadData
        Naming one such column and what to do.
    """
    last = {columns[-1] for columns, kind in transforms.items() if kind == "simplex"}
    kept = [j for j, name in enumerate(draws.names) if name not in last]
    names = [draws.names[j] for j in kept]
    x = np.unique(draws.values[:: max(len(draws.values) // ROWS, 1)][:, kept], axis=0)
    constant = np.flatnonzero(x.min(axis=0) == x.max(axis=0))
    if constant.size:
        raise BadData(f"Expected variables that vary; {names[constant[0]]!r} is constant. {ADVICE}")
    # Quartiles, since one far draw of two columns says nothing of how the others go together.
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high > low, high - low, np.std(x, axis=0))
    found = _monotone(x) or _quadratic((x - middle) / spread)
    if found is not None and len(x) > FEW:
        raise BadData(_told(x, names, *found))


def _monotone(x: FloatArray) -> tuple[int, list[int]] | None:
    """Return a column with one that orders the rows, mostly distinct, as it does or in reverse."""
    ranks = rankdata(x, axis=0)
    reverse = len(x) + 1 - ranks
    for j in range(1, x.shape[1]):
        same = (ranks[:, :j] == ranks[:, [j]]).all(axis=0)
        same |= (reverse[:, :j] == ranks[:, [j]]).all(axis=0)
        if same.any():
            return j, [int(np.argmax(same))]
    return None


def _quadratic(x: FloatArray) -> tuple[int, list[int]] | None:
    """Return a column, of unit spread, that is a polynomial of others, to the second degree."""
    n, d = x.shape
    for degree in (1, 2):
        terms = [t for k in range(degree + 1) for t in combinations_with_replacement(range(d), k)]
        if len(terms) > min(n / 2, MOST_TERMS):
            return None
        features = np.stack([x[:, list(t)].prod(axis=1) for t in terms], axis=1)
        unit = features / np.sqrt((features**2).sum(axis=0))
        if np.linalg.svd(unit, compute_uv=False)[-1] > SUSPECT:
            continue
        # The last first: deterministics follow what they are made of.
        for j in reversed(range(d)):
            own = [k for k, t in enumerate(terms) if j not in t]
            coef = np.linalg.lstsq(features[:, own], x[:, j], rcond=None)[0]
            if np.median(np.abs(x[:, j] - features[:, own] @ coef)) < EXACT:
                used = [terms[k] for k, c in zip(own, coef, strict=True) if abs(c) > EXACT]
                return j, sorted({i for t in used for i in t})
    return None


def _told(x: FloatArray, names: list[str], column: int, others: list[int]) -> str:
    expected = "Expected variables that no others determine; "
    base = names[column].partition("[")[0]
    elements = [j for j, name in enumerate(names) if name.partition("[")[0] == base]
    if len(elements) > 1 and np.allclose(x[:, elements].sum(axis=1), 1.0, rtol=0, atol=EXACT):
        return (
            f"{expected}the elements of {base!r} sum to 1. Declare "
            f"transforms={{{base!r}: 'simplex'}}."
        )
    of = ", ".join(repr(names[i]) for i in others)
    return f"{expected}{names[column]!r} is a function of {of}. {ADVICE}"
