"""Replica averages against derivatives taken by another route."""

from fractions import Fraction
from itertools import product
from math import prod

import pytest
import sympy

from symscore.exact import DifferentialField
from symscore.exact.proofs.replicas import ReplicaSum, ReplicaTerm, growth

TERMS = [
    ReplicaTerm(),
    ReplicaTerm((), (1, 2), 1),
    ReplicaTerm(((1, 2), (3, 3)), (2,), 2),
]


def by_derivatives(monomial: ReplicaTerm, times: int):
    """Return L^m of one average on the line, three rational atoms, by the quotient rule."""
    y, tilt = sympy.symbols("y tilt")
    atoms, weights, s = (Fraction(-1), Fraction(1, 2), Fraction(2)), (1, 3, 2), Fraction(3, 2)
    field = DifferentialField([y], {tilt: y / (2 * sympy.Rational(3, 2))})
    values = [field.element(tilt ** int(2 * atom)) for atom in atoms]
    parts = [field.element(w) * v for w, v in zip(weights, values, strict=True)]
    total = parts[0] + parts[1] + parts[2]
    shares = [part / total for part in parts]

    def average(term: ReplicaTerm):
        """Return the average by brute force over all choices of atoms."""
        result = field.element(0)
        for chosen in product(range(3), repeat=term.replicas):
            x = [None, *(atoms[i] for i in chosen)]
            value = x[1] * prod(x[j] for j in term.singles) / s**term.power
            value *= prod(x[i] * x[j] for i, j in term.pairs)
            weight = shares[chosen[0]]
            for i in chosen[1:]:
                weight = weight * shares[i]
            coefficient = field.element(value) * field.element(y) ** len(term.singles)
            result += coefficient * weight
        return result

    f = average(monomial)
    for _ in range(times):
        slope = field.diff(f, y)
        f = field.diff(slope, y) - field.element(y) * slope / field.element(s)
    return f, average, field


@pytest.mark.parametrize("monomial", TERMS)
def test_the_generator_on_the_line(monomial):
    expected, average, field = by_derivatives(monomial, 1)
    found = ReplicaSum({monomial: 1}).generator()
    total = field.element(0)
    for term, value in found.terms.items():
        total += field.element(value) * average(term)
    assert total == expected


def test_the_second_power_on_the_line():
    expected, average, field = by_derivatives(ReplicaTerm(), 2)
    total = field.element(0)
    for term, value in ReplicaSum.mean().generator().generator().terms.items():
        total += field.element(value) * average(term)
    assert total == expected


def test_the_first_power_is_the_known_one():
    # L f = -<x1 <x1 - x2, y>> / s^2 + <x1 <x1 - x2, x1 + x2 - 2 x3>> / s^2, with s = sigma^2;
    # the products <x1, x2> cancel.
    assert ReplicaSum.mean().generator().terms == {
        ReplicaTerm((), (1,), 2): -1,
        ReplicaTerm((), (2,), 2): 1,
        ReplicaTerm(((1, 1),), (), 2): 1,
        ReplicaTerm(((1, 2),), (), 2): -2,
        ReplicaTerm(((2, 2),), (), 2): -1,
        ReplicaTerm(((2, 3),), (), 2): 2,
    }


def test_terms_that_differ_by_names_are_one():
    swapped = {ReplicaTerm(((2, 3),), (2,)): 1, ReplicaTerm(((2, 3),), (3,)): -1}
    assert ReplicaSum(swapped).euler().terms == {}
    # The first replica has a name of its own.
    told_apart = {ReplicaTerm(((1, 2),), (1,)): 1, ReplicaTerm(((1, 2),), (2,)): -1}
    assert ReplicaSum(told_apart).euler().terms


@pytest.mark.parametrize(("r", "t"), list(product(range(1, 4), range(4))))
def test_growth_counts_a_term_without_cancellation(r, t):
    term = ReplicaTerm(((r, r),), (r,) * t)
    found = ReplicaSum({term: 1})
    assert found.euler().size <= t + 2 * r
    assert found.generator().size <= growth(r, t)
    assert growth(1, 0) == 2 + 8


def test_by_moments_evaluates_the_mean():
    assert ReplicaSum.mean().by_moments(2, 1) == {((0, 1), (0, 0, 0), (0, 0), (0,)): 1}
