"""Every metric against a closed form or its definition written out."""

import numpy as np
import pytest
from scipy.stats import norm

from symscore.compare import (
    energy_distance,
    mean_log_density,
    paired_difference,
    total_variation,
)
from symscore.errors import BadData
from tests.tolerances import monte_carlo, roundoff


def energy_of_normals(gap, s, t):
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| for N(0, s^2) and N(gap, t^2): folded normal means."""

    def mean_abs(mean, sd):
        return 2 * sd * norm.pdf(mean / sd) + mean * (1 - 2 * norm.cdf(-mean / sd))

    across = mean_abs(gap, np.hypot(s, t))
    return 2 * across - mean_abs(0.0, np.sqrt(2) * s) - mean_abs(0.0, np.sqrt(2) * t)


@pytest.mark.parametrize(("gap", "s", "t"), [(1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (0.0, 1.0, 1.0)])
def test_energy_distance_of_known_normals(gap, s, t):
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, s, (1500, 1)), rng.normal(gap, t, (1000, 1))
    found = energy_distance(x, y)
    truth = energy_of_normals(gap, s, t)
    assert abs(found.value - truth) <= monte_carlo(1, found.standard_error)
    # What must be seen: the self-distances left in would add E|X - X'| / n + E|Y - Y'| / m.
    assert found.standard_error < 0.1


def test_energy_distance_is_its_definition():
    rng = np.random.default_rng(2)
    x, y = rng.integers(-8, 9, (5, 1)).astype(float), rng.integers(-8, 9, (4, 1)).astype(float)
    across = np.mean([abs(a - b) for a in x[:, 0] for b in y[:, 0]])
    within = [
        np.mean([abs(z[i, 0] - z[j, 0]) for i in range(len(z)) for j in range(len(z)) if i != j])
        for z in (x, y)
    ]
    expected = 2 * across - sum(within)
    # Some tens of additions of integers below 17 and a few divisions.
    assert abs(energy_distance(x, y).value - expected) <= roundoff(100, 17.0)


def test_energy_distance_standard_error_is_the_jackknife_written_out():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(6, 2))

    def variance_from(sample, value_without):
        left = np.array([value_without(np.delete(sample, i, axis=0)) for i in range(len(sample))])
        return (len(sample) - 1) * left.var()

    expected = variance_from(x, lambda z: energy_distance(z, y).value) + variance_from(
        y, lambda z: energy_distance(x, z).value
    )
    found = energy_distance(x, y).standard_error ** 2
    # Differences of leave-one-out values lose at most the two digits by which they are smaller.
    assert found == pytest.approx(expected, rel=roundoff(200, 100.0))


def test_energy_distance_standard_error_errs_upwards_where_the_laws_are_equal():
    # There the estimate is nearly a weighted sum of chi-squares less their means, whose excess
    # kurtosis is at most 12: the variance of 2000 values is known to sqrt(14 / 2000), relatively.
    rng = np.random.default_rng(4)
    found = [energy_distance(*rng.normal(size=(2, 60, 1))) for _ in range(2000)]
    actual = np.var([each.value for each in found])
    claimed = np.mean([each.standard_error**2 for each in found])
    relative = monte_carlo(2000, np.sqrt(14))
    assert actual * (1 - relative) <= claimed <= 3 * actual * (1 + relative)


@pytest.mark.parametrize("gap", [0.2, 1.0, 3.0])
def test_total_variation_of_two_gaussians(gap):
    rng = np.random.default_rng(5)
    draws = rng.normal(size=(2, 20_000, 1)) + np.array([0.0, gap])[:, None, None]
    found = total_variation(
        lambda x: norm.logpdf(x[:, 0]),
        lambda x: norm.logpdf(x[:, 0], gap),
        draws_p=draws[0],
        draws_q=draws[1],
    )
    truth = 2 * norm.cdf(gap / 2) - 1
    for side in (found.from_p, found.from_q):
        assert abs(side.value - truth) <= monte_carlo(1, side.standard_error)
        # Terms in [0, 1] have standard deviation at most one half.
        assert side.standard_error <= 0.5 / np.sqrt(20_000 - 1)


def test_total_variation_shows_a_density_that_is_not_normalised():
    rng = np.random.default_rng(6)
    draws = rng.normal(size=(20_000, 1))

    def log_p(x):
        return norm.logpdf(x[:, 0])

    found = total_variation(log_p, lambda x: log_p(x) - np.log(2), draws_p=draws, draws_q=draws)
    # q = p / 2 exactly: the terms are 1 - 1/2 on one side and (1 - 2)+ on the other.
    assert found.from_p.value == pytest.approx(0.5, abs=roundoff(20_000, 0.5))
    assert found.from_q.value == 0.0


def test_total_variation_where_the_other_density_vanishes():
    draws = np.zeros((5, 1))
    found = total_variation(
        lambda x: np.zeros(len(x)),
        lambda x: np.where(x[:, 0] > 0, 0.0, -np.inf),
        draws_p=draws,
        draws_q=draws + 1,
    )
    assert found.from_p.value == 1.0
    assert found.from_q.value == 0.0


def test_means_and_paired_differences():
    first, second = [1.0, 2.0, 6.0], [0.0, 2.0, 4.0]
    assert mean_log_density(first).value == 3.0
    # Deviations -2, -1, 3: variance 14 / 2, standard error sqrt(7 / 3).
    assert mean_log_density(first).standard_error == pytest.approx(
        np.sqrt(7 / 3), rel=roundoff(10, 1.0)
    )
    assert paired_difference(first, second).value == 1.0
    assert paired_difference(first, second).standard_error == pytest.approx(
        np.sqrt(1 / 3), rel=roundoff(10, 1.0)
    )
    assert paired_difference(second, first).value == -1.0


def test_a_density_of_zero_at_a_held_out_row_is_infinitely_bad():
    finite, zero = [0.0, 1.0], [0.0, -np.inf]
    assert mean_log_density(zero).value == -np.inf
    assert paired_difference(zero, finite).value == -np.inf
    assert paired_difference(finite, zero).value == np.inf
    assert np.isnan(paired_difference(zero, zero).value)
    assert np.isnan(paired_difference(finite, zero).standard_error)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: mean_log_density([1.0]), "at least two values"),
        (lambda: mean_log_density([1.0, np.nan]), "index 1"),
        (lambda: mean_log_density([np.inf, 1.0]), "index 0"),
        (lambda: paired_difference([1.0, 2.0], [1.0, 2.0, 3.0]), "Expected second of shape"),
        (lambda: energy_distance(np.zeros((2, 1)), np.zeros((9, 1))), "at least 3 rows"),
        (lambda: energy_distance(np.zeros((4, 1)), np.zeros((4, 2))), "Expected y of shape"),
        (
            lambda: total_variation(
                lambda x: np.full(3, -np.inf),
                lambda x: np.zeros(3),
                draws_p=np.zeros((3, 1)),
                draws_q=np.zeros((3, 1)),
            ),
            "positive density",
        ),
    ],
)
def test_misuse_is_named(call, match):
    with pytest.raises(BadData, match=match):
        call()
