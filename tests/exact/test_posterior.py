"""Posteriors, their moments and cumulants, against formulas that are derived another way."""

from fractions import Fraction
from itertools import product

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Matrix, Rational, diag, symbols

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact import (
    ExactMixture,
    is_identity,
    mean_cumulants,
    mean_moments,
    posterior,
    posterior_cumulants,
    posterior_moments,
    tanh_form,
)
from symscore.exact.cumulants import cumulants

x, y, m, v, alpha = symbols("x y m v alpha")
TWO = ExactMixture(["1/3", "2/3"], [[0, 1], [2, -1]], [[[2, "1/2"], ["1/2", 1]], [[1, 0], [0, 3]]])

rationals = st.builds(Rational, st.integers(-6, 6), st.integers(1, 3))
levels = st.builds(lambda p, q: Rational(p, p + q), st.integers(1, 5), st.integers(1, 5))


@given(rationals, rationals, levels)
@settings(max_examples=15)
def test_prior_times_likelihood_is_posterior_times_evidence(point, clean, level):
    # p(x_0) N(x; a x_0, 1 - a^2) = p(x_0 | x) p_a(x), Bayes' rule in two dimensions.
    noisy, start = (point, point / 2), (clean, -clean)
    likelihood = ExactMixture(
        [1], [[level * c for c in start]], [(1 - level**2) * sympy.eye(2)]
    ).density(noisy)
    joint = TWO.density(start) * likelihood
    assert is_identity(
        joint, posterior(TWO, noisy, level).density(start) * TWO.at(level).density(noisy)
    )


def test_moments_of_one_gaussian_are_those_of_conditioning():
    # (x_0, x) is Gaussian: the variance is v (1 - a^2) / K and the mean m + a v (x - a m) / K.
    table = posterior_moments(ExactMixture([1], [m], [v]), x, alpha, degree=4)
    noisy = alpha**2 * v + 1 - alpha**2
    mean, spread = m + alpha * v * (x - alpha * m) / noisy, v * (1 - alpha**2) / noisy
    wanted = [1, mean, mean**2 + spread, mean**3 + 3 * mean * spread]
    wanted.append(mean**4 + 6 * mean**2 * spread + 3 * spread**2)
    for order, want in enumerate(wanted):
        assert is_identity(table[order,], want)


def test_first_moments_are_the_denoiser():
    table = posterior_moments(TWO, (x, y), alpha, degree=1)
    for got, want in zip([table[1, 0], table[0, 1]], TWO.denoiser((x, y), alpha), strict=True):
        assert is_identity(got, want)


def test_without_noise_the_moments_are_powers_of_the_point():
    table = posterior_moments(TWO, (3, 5), 1, degree=3)
    assert {a: sympy.cancel(value) for a, value in table.items()} == {
        (i, j): 3**i * 5**j for i, j in product(range(4), repeat=2) if i + j <= 3
    }


def test_moments_of_a_posterior_are_moments_of_its_mixture():
    law = posterior(TWO, (1, 0), "1/2")
    table = posterior_moments(TWO, (1, 0), "1/2", degree=2)
    mean = sum(
        (w * Matrix(c) for w, c in zip(law.weights, law.means, strict=True)), sympy.zeros(2, 1)
    )
    assert is_identity(table[1, 0], mean[0])
    second = sum(
        w * (c[0] * c[1] + s[0][1])
        for w, c, s in zip(law.weights, law.means, law.covariances, strict=True)
    )
    assert is_identity(table[1, 1], second)


def test_cumulants_are_the_derivatives_of_the_log_of_the_moment_generating_series():
    # log(1 + sum_a m_a t^a / a!) is expanded as sum_k (-1)^(k-1) u^k / k, truncated at order 3.
    s, t = symbols("s t")
    orders = [a for a in product(range(4), repeat=2) if sum(a) <= 3]
    table = {a: sympy.Symbol(f"m{a[0]}{a[1]}") if any(a) else sympy.Integer(1) for a in orders}
    generating = sum(
        value * s ** a[0] * t ** a[1] / (sympy.factorial(a[0]) * sympy.factorial(a[1]))
        for a, value in table.items()
        if any(a)
    )
    log = sympy.Poly(sum((-1) ** (k - 1) * generating**k / k for k in range(1, 4)), s, t)
    for a, cumulant in cumulants(table).items():
        wanted = log.coeff_monomial(s ** a[0] * t ** a[1])
        wanted *= sympy.factorial(a[0]) * sympy.factorial(a[1])
        assert sympy.expand(cumulant - wanted) == 0


def test_cumulants_of_a_coin_are_the_derivatives_of_tanh():
    # Atoms -1 and 1 under unit noise: E[m | x] = tanh x, so kappa_n is its derivative n - 1.
    coin = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    table = mean_cumulants(coin, x, degree=6)
    for order in range(1, 7):
        assert is_identity(table[order,], sympy.diff(sympy.tanh(x), x, order - 1))
    assert not is_identity(table[4,], sympy.diff(sympy.tanh(x), x, 2))
    assert mean_moments(coin, x, degree=2)[0,] == 1


def test_gaussians_have_no_cumulants_beyond_the_second():
    table = posterior_cumulants(ExactMixture([1], [[m, 1]], [diag(2, 3)]), (x, y), alpha, degree=4)
    for a, cumulant in table.items():
        if sum(a) > 2 or a == (1, 1):
            assert is_identity(cumulant, 0)


@pytest.mark.parametrize(("dim", "degree"), [(1, 11), (1, 10**9), (4, 7)])
def test_too_many_partitions_are_refused(dim, degree):
    mixture = ExactMixture([1], [[0] * dim], [sympy.eye(dim)])
    with pytest.raises(ResourceLimit, match="set partitions"):
        mean_cumulants(mixture, [0] * dim, degree=degree)
    with pytest.raises(ResourceLimit, match="set partitions"):
        posterior_cumulants(mixture, [0] * dim, "1/2", degree=degree)


@pytest.mark.parametrize("level", [1, Fraction(1), 0, "3/2"])
def test_a_posterior_needs_noise(level):
    with pytest.raises(BadOption, match="Expected alpha"):
        posterior(ExactMixture([1], [0], [1]), 0, level)


@pytest.mark.parametrize(
    ("mixture", "point", "message"),
    [
        (ExactMixture([1], [0], [1]), 0, "Expected two components; got 1"),
        (ExactMixture(["1/2"] * 2, [0, 1], [1, 2]), 0, "Expected one covariance for both"),
        (ExactMixture(["1/2"] * 2, [0, 1], [v, 2]), 0, "Expected one covariance for both"),
        (ExactMixture(["1/2"] * 2, [0, 1], [1, 1]), (0, 1), "Expected x with 1 coordinates; got 2"),
    ],
)
def test_a_tanh_form_needs_two_components_with_one_covariance(mixture, point, message):
    with pytest.raises(BadData, match=message):
        tanh_form(mixture, point)


def test_covariances_that_are_equal_but_written_otherwise_have_a_tanh_form():
    mixture = ExactMixture(["1/2"] * 2, [m, -m], [(v + 1) ** 2, v**2 + 2 * v + 1])
    assert is_identity(tanh_form(mixture, x)[0], mixture.score(x)[0])
