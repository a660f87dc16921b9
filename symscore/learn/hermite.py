"""Index tables of the orthonormal probabilists' Hermite polynomials in d variables.

``h_p(u) = prod_k He_{p_k}(u_k) / sqrt(p_k!)`` over multi-indices p of total degree at most D. They
satisfy ``d h_p / d u_k = sqrt(p_k) h_{p - e_k}`` and the three-term recurrence
``sqrt(p_k) h_p = u_k h_{p - e_k} - sqrt(p_k - 1) h_{p - 2 e_k}``: the tables hold just that.
"""

from functools import lru_cache
from itertools import combinations_with_replacement, count
from math import comb
from typing import NamedTuple

import numpy as np

from symscore.arrays import FloatArray, IntArray


class HermiteTables(NamedTuple):
    """Multi-indices in order of total degree, so a lower degree is a leading part.

    Attributes
    ----------
    lead : (F,) int
        For p != 0 the last axis k with p_k > 0, along which the recurrence runs.
    down : (F, d) int
        Position of p - e_k, or -1 where p_k = 0.
    rate : (F, d) float
        sqrt(p_k).
    """

    lead: IntArray
    down: IntArray
    rate: FloatArray


def n_features(dim: int, degree: int) -> int:
    """Return the number of polynomials of total degree <= `degree` in `dim` variables."""
    return comb(dim + degree, degree)


def degree_of(dim: int, size: int) -> int:
    """Return the smallest degree with at least `size` features; -1 for none."""
    return -1 if size == 0 else next(k for k in count() if n_features(dim, k) >= size)


@lru_cache(maxsize=64)
def multi_indices(dim: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Return the multi-indices of total degree 0, 1, ..., `degree`, in that order."""
    return tuple(
        tuple(np.bincount(axes, minlength=dim).tolist()) if axes else (0,) * dim
        for total in range(degree + 1)
        for axes in combinations_with_replacement(range(dim), total)
    )


def hermite_tables(dim: int, degree: int) -> HermiteTables:
    """Build the tables for `dim` variables up to total degree `degree`."""
    powers = multi_indices(dim, degree)
    position = {p: j for j, p in enumerate(powers)}
    down = np.full((len(powers), dim), -1, dtype=np.int64)
    lead = np.zeros(len(powers), dtype=np.int64)
    for j, p in enumerate(powers):
        for k in range(dim):
            if p[k]:
                down[j, k] = position[(*p[:k], p[k] - 1, *p[k + 1 :])]
                lead[j] = k
    return HermiteTables(lead, down, np.sqrt(np.array(powers, dtype=np.float64)))
