"""The terms of a mixture at a point: what densities, scores and Jacobians are put together from."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import final

import sympy
from sympy import Expr, Matrix

from symscore.exact.matrices import adjugate_and_determinant
from symscore.exact.mixture_checks import Rows, Vector


@final
@dataclass(frozen=True, slots=True)
class Component:
    r"""One Gaussian ``N(m, C)`` of weight w at a point x.

    Parameters
    ----------
    term : sympy.Expr
        ``w |C|^(-1/2) exp(-(x - m)^T C^-1 (x - m) / 2)``: its density without (2 pi)^(-d/2).
    score : (d, 1) sympy.Matrix
        ``-C^-1 (x - m)``.
    precision : (d, d) sympy.Matrix
        ``C^-1``.
    """

    term: Expr
    score: Matrix
    precision: Matrix


def component(weight: Expr, mean: Vector, covariance: Rows, point: Matrix) -> Component:
    """Return a component at a point, without a division that could hide a zero."""
    centred = point - Matrix(mean)
    adjugate, determinant = adjugate_and_determinant(Matrix(covariance))
    pull = adjugate * centred
    exponential = sympy.exp(-centred.dot(pull) / (2 * determinant))
    term = weight * exponential / sympy.sqrt(determinant)
    return Component(term, -pull / determinant, adjugate / determinant)


def shares(terms: Iterable[Expr]) -> Vector:
    """Return each term divided by the sum of all."""
    parts = tuple(terms)
    total = sympy.Add(*parts)
    return tuple(part / total for part in parts)


def covariance_by_pairs(weights: Vector, vectors: Iterable[Matrix]) -> list[Matrix]:
    r"""Return the terms of a covariance under weights that sum to one.

    .. math:: \sum_i r_i (g_i - \bar g)(g_i - \bar g)^T
        = \sum_{i<j} r_i r_j (g_i - g_j)(g_i - g_j)^T, \qquad \bar g = \sum_i r_i g_i

    Both sides are :math:`\sum_i r_i g_i g_i^T - \bar g \bar g^T`; the right one has no difference
    of large numbers where one weight is nearly one.
    """
    pairs = combinations(zip(weights, vectors, strict=True), 2)
    return [r * q * (g - h) * (g - h).T for (r, g), (q, h) in pairs]
