"""The sampler's law on the line, against one Gaussian's recursion, exact projections and draws."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from symscore.errors import BadData
from symscore.learn.diffusion import reverse_diffusion
from symscore.learn.line_law import (
    LineScore,
    line_grid,
    line_total_variation,
    merged_edges,
    population_score,
    sampler_law,
)
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.tolerances import dvoretzky

LEVELS = [NoiseLevel.from_time(t) for t in np.geomspace(3, 0.05, 25)]
FIELDS, END = LEVELS[:-1], LEVELS[-1]
TWO = GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], np.ones((2, 1, 1)))


def ladder(truth, degree, edges=()):
    return [population_score(truth, level, degree=degree, edges=edges) for level in FIELDS]


def test_a_gaussian_is_carried_as_its_mean_and_variance_are():
    mean, variance = 2.0, 0.25
    truth = GaussianMixture([1.0], [[mean]], [[[variance]]])
    m, v = 0.0, 1.0
    for level, following in pairwise(LEVELS):
        rho = np.exp(level.t - following.t)
        precision = 1 / (level.alpha**2 * variance + level.sigma**2)
        slope = rho - 2 * (rho - 1) * precision
        m = slope * m + 2 * (rho - 1) * precision * level.alpha * mean
        v = slope**2 * v + rho**2 - 1
    x = np.arange(-9, 12, 0.01)
    law = sampler_law(ladder(truth, 1), END, x)
    expected = norm.pdf(x, m / END.alpha, np.sqrt(v) / END.alpha)
    # Linear interpolation of a density of sd 0.5 at spacing 0.01 errs by h^2 f'' / 8 < 1e-4.
    assert np.abs(law - expected).max() < 1e-4


@pytest.mark.parametrize("mu", [1.0, 2.0])
def test_one_cell_is_the_exact_projection(mu):
    # Degree 3 of 1/2 N(+-mu, 1), from its moments (score matching by parts).
    m2, m4 = 1 + mu**2, mu**4 + 6 * mu**2 + 3
    m6 = mu**6 + 15 * mu**4 + 45 * mu**2 + 15
    det = m2 * m6 - m4**2
    first, third = (3 * m2 * m4 - m6) / det, -2 * mu**4 / det
    truth = GaussianMixture([0.5, 0.5], [[-mu], [mu]], np.ones((2, 1, 1)))
    field = population_score(truth, NoiseLevel(1.0, 0.0), degree=3, edges=[])
    x = np.linspace(-4, 4, 9)
    assert np.allclose(field.score(x[:, None])[:, 0], first * x + third * x**3, rtol=0, atol=1e-9)


def test_two_cells_lower_the_error_as_certified():
    # rms .1742 for two half lines and degree 2 at mu = 2, .4567 for one cell and degree 3.
    x = line_grid(TWO, spacing=0.005)
    p = np.exp(TWO.log_density(x[:, None])) * 0.005
    for degree, edges, rms in [(2, [0.0], 0.1742), (3, [], 0.4567)]:
        field = population_score(TWO, NoiseLevel(1.0, 0.0), degree=degree, edges=edges)
        error = field.score(x[:, None]) - TWO.score(x[:, None])
        assert np.sqrt(p @ error[:, 0] ** 2) == pytest.approx(rms, abs=2e-4)


def test_draws_follow_the_law():
    x = np.arange(-13, 13, 0.01)
    fields = [population_score(TWO, at, degree=3, edges=merged_edges(TWO, at)) for at in FIELDS]
    law = sampler_law(fields, END, x)
    n = 20_000
    draws = np.sort(reverse_diffusion(fields, END, n, rng=np.random.default_rng(0))[:, 0])
    cdf = np.interp(draws, x, np.cumsum(law) * 0.01)
    empirical = (np.arange(n) + 0.5) / n
    # The cumulative sum is off by half a step of at most .25 * .01.
    assert np.abs(cdf - empirical).max() < dvoretzky(n) + 2e-3


def test_more_steps_and_exact_scores_come_nearer():
    class Exact:
        dim = 1

        def __init__(self, level):
            self.level = level
            self.score = TWO.at(level).score

    x = np.arange(-13, 13, 0.01)
    found = []
    for steps in (20, 40):
        levels = [NoiseLevel.from_time(t) for t in np.geomspace(4, 0.02, steps + 1)]
        law = sampler_law([Exact(level) for level in levels[:-1]], levels[-1], x)
        found.append(line_total_variation(TWO, law, x))
    assert found[1] < 0.75 * found[0] < 0.1


def test_lost_mass_counts():
    x = np.arange(-13, 13, 0.01)
    truth = np.exp(TWO.log_density(x[:, None]))
    assert line_total_variation(TWO, truth, x) < 1e-9
    assert line_total_variation(TWO, 0.9 * truth, x) == pytest.approx(0.1, abs=1e-9)


def test_a_polynomial_that_drives_points_away_loses_mass():
    level = NoiseLevel.from_time(0.5)
    away = LineScore(level, [], [0.0], [1.0], [[0.0, 3.0, 0.0, 1.0]])
    law = sampler_law([away], NoiseLevel.from_time(0.1), np.arange(-13, 13, 0.01))
    assert law.sum() * 0.01 < 0.99


def test_near_means_share_a_cell():
    truth = GaussianMixture([0.3, 0.4, 0.3], [[-4.0], [0.0], [1.5]], np.ones((3, 1, 1)))
    pair = (0.4 * 0.0 + 0.3 * 1.5) / 0.7
    assert merged_edges(truth, NoiseLevel(1.0, 0.0)) == pytest.approx([(pair - 4) / 2])
    assert merged_edges(truth, NoiseLevel.from_time(2.0)).size == 0


def test_misuse_is_refused():
    with pytest.raises(BadData, match="spacing"):
        sampler_law(ladder(TWO, 1), END, np.arange(-13, 13, 0.5))
    plane = GaussianMixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    with pytest.raises(BadData, match="on the line"):
        population_score(plane, END, degree=1, edges=[])
