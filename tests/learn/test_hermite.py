"""The recurrence tables, read in exact arithmetic: polynomials as {powers: coefficient}."""

from itertools import product
from math import comb, factorial, prod

import numpy as np
import pytest
from sympy import Poly, Symbol
from sympy.polys.orthopolys import hermite_prob_poly

from symscore.learn.hermite import hermite_tables, multi_indices, n_features
from symscore.learn.reference import hermite
from tests.tolerances import roundoff

Polynomial = dict[tuple[int, ...], int]
CASES = [(1, 6), (2, 4), (3, 3), (5, 2), (4, 0)]
each_case = pytest.mark.parametrize(("dim", "degree"), CASES)


def raised(powers: tuple[int, ...], k: int) -> tuple[int, ...]:
    return (*powers[:k], powers[k] + 1, *powers[k + 1 :])


def combined(*parts: tuple[int, Polynomial]) -> Polynomial:
    total: Polynomial = {}
    for factor, polynomial in parts:
        for powers, coefficient in polynomial.items():
            total[powers] = total.get(powers, 0) + factor * coefficient
    return {powers: coefficient for powers, coefficient in total.items() if coefficient}


def by_tables(dim: int, degree: int) -> list[Polynomial]:
    """He_p = u_k He_{p - e_k} - (p_k - 1) He_{p - 2 e_k}, as the kernels run it, without roots."""
    lead, down, rate = hermite_tables(dim, degree)
    squared = np.rint(rate**2).astype(int)
    found: list[Polynomial] = [{(0,) * dim: 1}]
    for j in range(1, len(lead)):
        k = lead[j]
        one = down[j, k]
        two = down[one, k]
        parts = [(1, {raised(powers, k): c for powers, c in found[one].items()})]
        if two >= 0:
            parts.append((-int(squared[one, k]), found[two]))
        found.append(combined(*parts))
    return found


def gaussian_moment(power: int) -> int:
    return 0 if power % 2 else prod(range(1, power, 2))


@each_case
def test_indices_come_by_total_degree_and_each_once(dim, degree):
    indices = multi_indices(dim, degree)
    totals = [sum(powers) for powers in indices]
    wanted = {powers for powers in product(range(degree + 1), repeat=dim) if sum(powers) <= degree}
    assert totals == sorted(totals)
    assert set(indices) == wanted
    assert len(indices) == len(wanted) == n_features(dim, degree) == comb(dim + degree, dim)


@each_case
def test_a_lower_degree_is_the_leading_part(dim, degree):
    whole, part = hermite_tables(dim, degree + 1), hermite_tables(dim, degree)
    n = n_features(dim, degree)
    assert all((a[:n] == b).all() for a, b in zip(whole, part, strict=True))


@each_case
def test_tables_give_the_products_of_sympys_polynomials(dim, degree):
    x = Symbol("x")
    one = [
        [int(c) for c in reversed(Poly(hermite_prob_poly(n, x), x).all_coeffs())]
        for n in range(degree + 1)
    ]
    for powers, got in zip(multi_indices(dim, degree), by_tables(dim, degree), strict=True):
        choices = product(*(range(p + 1) for p in powers))
        want = {c: prod(one[p][e] for p, e in zip(powers, c, strict=True)) for c in choices}
        assert got == {c: value for c, value in want.items() if value}


@each_case
def test_orthonormal_exactly(dim, degree):
    # E[He_p He_q] = p! if p = q, else 0, from E[u^(2 k)] = 1 * 3 * ... * (2 k - 1).
    indices, polynomials = multi_indices(dim, degree), by_tables(dim, degree)
    for p, f in zip(indices, polynomials, strict=True):
        for q, g in zip(indices, polynomials, strict=True):
            inner = sum(
                c * e * prod(gaussian_moment(i + j) for i, j in zip(a, b, strict=True))
                for a, c in f.items()
                for b, e in g.items()
            )
            assert inner == (prod(map(factorial, p)) if p == q else 0)


@each_case
def test_derivatives_are_the_lower_polynomials(dim, degree):
    _, down, rate = hermite_tables(dim, degree)
    polynomials = by_tables(dim, degree)
    for j, (powers, polynomial) in enumerate(
        zip(multi_indices(dim, degree), polynomials, strict=True)
    ):
        for k in range(dim):
            slope = {
                (*a[:k], a[k] - 1, *a[k + 1 :]): a[k] * c for a, c in polynomial.items() if a[k]
            }
            below = polynomials[down[j, k]] if down[j, k] >= 0 else {}
            assert rate[j, k] == np.sqrt(powers[k])
            assert slope == combined((powers[k], below))


@pytest.mark.parametrize(("dim", "degree"), [(1, 6), (2, 4), (3, 2)])
def test_the_twin_is_orthonormal_under_gauss_quadrature(dim, degree):
    # degree + 1 nodes integrate products of degree 2 degree + 1 exactly.
    nodes, weights = np.polynomial.hermite_e.hermegauss(degree + 1)
    points = np.array(list(product(nodes, repeat=dim)))
    share = np.prod(list(product(weights / weights.sum(), repeat=dim)), axis=1)
    values = hermite(points, degree)
    gram = np.einsum("n,nf,ng->fg", share, values, values)
    size = np.einsum("n,nf,ng->fg", share, np.abs(values), np.abs(values)).max()
    # Nodes carry an error of a few ulps that a polynomial multiplies by its degree.
    assert np.abs(gram - np.eye(len(gram))).max() <= roundoff(64 * (degree + 1), size)
