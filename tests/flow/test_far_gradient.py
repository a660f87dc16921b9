"""The gradient of the log density against finite differences, near the data and far from them."""

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.mixture import GaussianMixture
from tests.flow.test_normalisation import SHELLS, shell
from tests.flows import make_flow
from tests.tolerances import roundoff

AGREED = 1e-7  # relative to the gradient, or to one over a standard deviation where it vanishes
# Between far modes the density bends within 1 / distance; far out it is a parabola with large
# values, whose rounding asks for long steps.
STEPS = 2.0 ** np.arange(-3, -11, -1)


def far_modes(distance: float, dim: int) -> GaussianMixture:
    """Two Gaussians of unit scale at `distance` along no coordinate axis."""
    rng = np.random.default_rng(dim)
    direction, root = rng.normal(size=dim), 0.3 * rng.normal(size=(dim, dim))
    half = distance / 2 * direction / np.linalg.norm(direction)
    return GaussianMixture([0.3, 0.7], [-half, half], [np.eye(dim), np.eye(dim) + root @ root.T])


def bridge(mixture: GaussianMixture, n: int, rng: np.random.Generator) -> FloatArray:
    share = np.linspace(0, 1, n)[:, None]
    start, end = mixture.means
    return (1 - share) * start + share * end + 0.3 * rng.normal(size=(n, mixture.dim))


def slopes(flow: ScoreFlow, x: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope of the log density along `direction` at rows x (n, d), and its error, (n,).

    Differences of h, 2 h and 4 h are extrapolated twice; the second correction, which is the error
    of the first extrapolation, is taken for what is left, and the rounding of values adds its
    part. Of all h, the one with the least error is taken, row by row.
    """
    factors = np.concatenate([STEPS, 2 * STEPS[:1], 4 * STEPS[:1]])
    shifts = np.sort(factors)[:, None, None] * direction
    sides = [flow.log_density((x + s * shifts).reshape(-1, x.shape[1])) for s in (1, -1)]
    high, low = (side.reshape(len(factors), len(x)) for side in sides)
    plain = (high - low) / (2 * np.sort(factors)[:, None])
    once = plain[:-1] + (plain[:-1] - plain[1:]) / 3
    twice = once[:-1] + (once[:-1] - once[1:]) / 15
    size = 1 + np.abs(high).max(axis=0) + np.abs(x).max(axis=1)
    noise = roundoff(64, size) / np.sort(factors)[:-2, None]
    error = np.abs(twice - once[:-1]) + 2 * noise
    best = error.argmin(axis=0), np.arange(len(x))
    return twice[best], error[best]


@pytest.mark.parametrize("degree", [-1, 2])
@pytest.mark.parametrize("distance", [4.0, 10.0, 30.0, 100.0])
@pytest.mark.parametrize("dim", [1, 2, 5, 10])
def test_gradient_of_data_bridges_and_shells(dim, distance, degree):
    mixture = far_modes(distance, dim)
    flow = make_flow(mixture, degree=degree)
    rng = np.random.default_rng(0)
    shells = [shell(mixture, 1.0, radius, n=2) for radius in SHELLS]
    x = np.concatenate([mixture.draw(6, rng=rng), bridge(mixture, 8, rng), *shells])
    score = flow.score(x)
    length = np.maximum(np.linalg.norm(score, axis=1), 1)
    # Two directions find any fault of a gradient; more would say the same again.
    for direction in np.linalg.qr(rng.normal(size=(dim, min(dim, 2))))[0].T:
        want, error = slopes(flow, x, direction)
        assert np.all(error <= AGREED / 5 * length)  # so that the comparison says what it should
        assert np.all(np.abs(score @ direction - want) <= AGREED * length)
