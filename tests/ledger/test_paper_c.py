"""Means on the line in balls, and quadrature in the plane, which the rows of paper C rest on."""

from fractions import Fraction

import numpy as np
from flint import acb

from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.ledger.paper_c.line import line_loss, line_mean
from symscore.ledger.paper_c.plane import TRUTH, population


def test_means_of_powers_are_the_normal_moments():
    p, q = Fraction(3, 2), Fraction(7, 5)
    with precision(64):
        square = line_mean(lambda u: u * u, p, q)
        fourth = line_mean(lambda u: u**4, p, q, 100)
        assert square.contains(ball_of(p * p + q))
        assert square.rad() < 1e-12
        assert fourth.contains(ball_of(p**4 + 6 * p * p * q + 3 * q * q))
        assert fourth.rad() < 1e-12


def test_a_tail_that_is_not_small_is_not_forgotten():
    with precision(64):
        wide = line_mean(lambda u: acb(0), Fraction(0), Fraction(1), 10**40)
        assert wide.rad() > 1e-8


def test_the_loss_is_even_in_the_truth_and_zero_for_no_student():
    with precision(64):
        assert line_loss(Fraction(0), Fraction(0)).contains(0)
        both = [line_loss(p, Fraction(1)) for p in (Fraction(-1, 2), Fraction(1, 2))]
        assert both[0].overlaps(both[1])


def test_the_nodes_have_the_moments_of_the_mixture():
    x, weights = population(TRUTH)
    # The trapezoid rule is exact for a normal density times a polynomial but for 1e-13.
    assert np.abs(weights @ x - TRUTH.mean(axis=0)).max() < 1e-12
    second = np.eye(2) + TRUTH.T @ TRUTH / len(TRUTH)
    assert np.abs(np.einsum("n,ni,nj->ij", weights, x, x) - second).max() < 1e-11
