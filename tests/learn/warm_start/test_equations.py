"""Noise integrated out, against quadrature; and the sums of several cells against plain loops."""

from math import factorial

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.stats import norm

from symscore.learn.hard import nearest
from symscore.learn.hermite import multi_indices, n_features
from symscore.learn.hermite_sums import (
    exact_equations,
    hermite_moments,
    hermite_values,
    needed_order,
)
from symscore.learn.reference import hermite
from symscore.learn.statistics import regression_noise
from symscore.learn.warm_start.equations import cell_equations, interior
from tests.tolerances import monte_carlo, roundoff

NOISE = 0.6


def rows(n: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)), rng.dirichlet(np.full(n, 3.0))


@pytest.mark.parametrize(("dim", "degree"), [(1, 6), (2, 4), (3, 2)])
def test_values_of_variance_one_are_those_of_the_reference(dim, degree):
    u = np.random.default_rng(0).normal(size=(30, dim))
    size = (1 + np.abs(u).max()) ** degree
    assert np.abs(hermite_values(u, degree) - hermite(u, degree)).max() <= roundoff(200, size)


def test_other_variances_rescale_and_zero_gives_monomials():
    u = np.random.default_rng(0).normal(size=(20, 2))
    powers = np.array(multi_indices(2, 4))
    scaled = hermite(u / 0.5, 4) * 0.5 ** powers.sum(axis=1)
    size = (1 + np.abs(u).max()) ** 4
    assert np.abs(hermite_values(u, 4, 0.25) - scaled).max() <= roundoff(200, size)
    roots = np.sqrt([factorial(a) * factorial(b) for a, b in powers.tolist()])
    monomials = np.prod(u[:, None] ** powers, axis=2) / roots
    assert np.abs(hermite_values(u, 4, 0.0) - monomials).max() <= roundoff(100, size)


@pytest.mark.parametrize(("dim", "degree"), [(1, 5), (1, 0), (2, 3), (3, 1)])
@pytest.mark.parametrize("t", [1e-3, 0.3, 20.0])
def test_the_closed_form_is_the_integral_over_the_noise(dim, degree, t):
    """By Gauss-Hermite quadrature, exact for polynomials of this degree."""
    x, weights = rows(5, dim)
    centre = np.linspace(-0.3, 0.4, dim)
    sigma = np.hypot(NOISE, np.sqrt(t))
    moments = hermite_moments(x, weights, centre, needed_order(degree), NOISE**2)
    gram, cross = exact_equations(moments, centre, degree, sigma)
    node, share = hermegauss(degree + 2)
    share = share / share.sum()
    z = np.stack(np.meshgrid(*[node] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    mass = np.prod(np.stack(np.meshgrid(*[share] * dim, indexing="ij"), axis=-1), axis=-1).ravel()
    want_gram, want_cross = np.zeros_like(gram), np.zeros_like(cross)
    largest = 0.0
    for point, weight in zip(x, weights, strict=True):
        y = point + np.sqrt(t) * z
        target = y - sigma**2 / np.sqrt(t) * z
        phi = hermite((y - centre) / sigma, degree)
        want_gram += weight * np.einsum("n,nf,ng->fg", mass, phi, phi)
        want_cross += weight * np.einsum("n,nf,ni->fi", mass, phi, target)
        largest = max(largest, np.abs(phi).max() ** 2, np.abs(phi).max() * np.abs(target).max())
    assert np.abs(gram - want_gram).max() <= roundoff(500, largest)
    assert np.abs(cross - want_cross).max() <= roundoff(500, largest)


def test_one_pass_serves_every_level():
    """Sums of one cell do not depend on whether the moments were handed over."""
    x, weights = rows(300, 2)
    centre = np.zeros((1, 2))
    moments = hermite_moments(x, weights, centre[0], needed_order(3), NOISE**2)
    for t in (0.01, 1.0, 50.0):
        own = cell_equations(x, weights, [], centre, t, noise=NOISE, degree=3)
        given = cell_equations(x, weights, [], centre, t, noise=NOISE, degree=3, moments=moments)
        assert (own.gram == given.gram).all()
        assert (own.cross == given.cross).all()
        assert (own.effective == given.effective).all()


def test_rows_inside_stay_in_their_cell():
    centres = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 6.0]])
    x = np.random.default_rng(0).uniform(-2, 6, size=(200, 2))
    labels, inside = interior(x, centres, 0.1)
    assert (labels == nearest(x, centres)).all()
    assert 0 < inside.sum() < len(x)
    for angle in np.linspace(0, 2 * np.pi, 64, endpoint=False):
        moved = x + 0.6 * np.array([np.cos(angle), np.sin(angle)])
        assert (nearest(moved, centres) == labels)[inside].all()
    # A row outside leaves by such a step straight to some border.
    steps = [
        nearest(x + 0.6001 * (c - centres[labels]) / np.maximum(d, 1e-9)[:, None], centres)
        != labels
        for c in centres
        for d in [np.sqrt(((c - centres[labels]) ** 2).sum(axis=1))]
    ]
    assert np.any(steps, axis=0)[~inside].all()


def test_cells_against_plain_sums_of_their_draws():
    """All rows near a border: the sums are those of the antithetic draws, cell by cell."""
    x, weights = rows(200, 2)
    centres, t, degree = np.array([[-0.5, 0.0], [0.6, 0.2]]), 0.8, 2
    noises = np.split(regression_noise(0, 1, (400, 2)), 2)
    got = cell_equations(x, weights, noises, centres, t, noise=NOISE, degree=degree)
    sigma, size = np.hypot(NOISE, np.sqrt(t)), n_features(2, degree)
    gram, cross = np.zeros((2, size, size)), np.zeros((2, size, 2))
    for z in noises:
        for sign in (1, -1):
            for i in range(len(x)):
                y = x[i] + sign * np.sqrt(t) * z[i]
                c = int(np.hypot(*(y - centres[0])) > np.hypot(*(y - centres[1])))
                phi = hermite(((y - centres[c]) / sigma)[None], degree)[0]
                target = (1 - sigma**2 / t) * y + sigma**2 / t * x[i]
                gram[c] += weights[i] / 4 * np.outer(phi, phi)
                cross[c] += weights[i] / 4 * np.outer(phi, target)
    assert np.abs(got.gram - gram).max() <= roundoff(2000, np.abs(gram).max())
    assert np.abs(got.cross - cross).max() <= roundoff(2000, np.abs(cross).max())


def test_inside_and_drawn_agree_with_the_integral_over_a_slab():
    """One dimension, two slabs: means of 1 and u within a slab in closed form.

    Rows inside add none of the spread; each of the others adds at most that of its draws, a
    polynomial of degree one in u on a slab, whose sd is below that of u itself, 1, and |u|.
    """
    n, t, pairs = 2000, 0.09, 8
    x, weights = rows(n, 1)
    centres = np.array([[-1.5], [1.0]])
    noises = np.split(regression_noise(0, 1, (pairs * n, 1)), pairs)
    got = cell_equations(x, weights, noises, centres, t, noise=NOISE, degree=1)
    border, sigma, sd = -0.25, np.hypot(NOISE, np.sqrt(t)), np.sqrt(t)
    edge = (border - x[:, 0]) / sd
    right = norm.sf(edge)
    mean = x[:, 0] * right + sd * norm.pdf(edge)  # of y on the right
    want = np.array([weights @ right, weights @ (mean - centres[1, 0] * right) / sigma])
    spread = np.sqrt((weights**2).sum() / pairs) * np.array([0.5, np.abs(x).max() + 1])
    assert np.all(np.abs(got.gram[1, 0] - want) <= monte_carlo(1, spread, comparisons=2))


@pytest.mark.parametrize("copies", [1, 30])
def test_effective_rows_are_rows(copies):
    x = np.full((copies, 1), 0.2) + 1e-9 * np.arange(copies)[:, None]
    weights = np.full(copies, 1 / copies)
    noises = [np.zeros((copies, 1))]
    got = cell_equations(x, weights, noises, np.array([[0.0], [0.5]]), 1.0, noise=1.0, degree=0)
    assert got.effective.tolist() == [copies, 0]
