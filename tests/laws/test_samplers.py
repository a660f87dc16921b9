"""What holds for everything that draws: of a mixture, of a flow, of a ladder."""

import numpy as np
import pytest
from scipy.stats import norm

from symscore.mixture import GaussianMixture
from tests.flows import make_flow, make_ladder, random_frame
from tests.tolerances import dvoretzky

MIXTURE = GaussianMixture(
    [0.4, 0.6], [[-2.0, 1.0], [1.0, 0.0]], [0.2 * np.eye(2), [[0.5, 0.2], [0.2, 0.3]]]
)
FRAME = random_frame(2, 1)
SAMPLERS = {
    "mixture": MIXTURE.draw,
    "flow": make_flow(MIXTURE, max_ratio=1.2).draw,
    "reverse diffusion": make_ladder(MIXTURE, max_ratio=1.1).draw,
    "flow in a frame": make_flow(MIXTURE, frame=FRAME, max_ratio=2.0).draw,
}
# How far the law of a sampler may be from the mixture's, in distribution functions: smoothing by a
# hundredth of the smallest variance and a few percent too much variance of a first-order step.
NEAR = {"mixture": 0.0, "flow": 0.01, "reverse diffusion": 0.015}
each_sampler = pytest.mark.parametrize("draw", SAMPLERS.values(), ids=SAMPLERS)


@each_sampler
@pytest.mark.parametrize("n", [0, 1, 100])
def test_as_many_rows_as_asked_for(draw, n):
    x = draw(n, rng=np.random.default_rng(0))
    assert x.shape == (n, 2)
    assert np.isfinite(x).all()


@each_sampler
def test_the_generator_decides(draw):
    one, again = (draw(50, rng=np.random.default_rng(3)) for _ in range(2))
    other = draw(50, rng=np.random.default_rng(4))
    assert (one == again).all()
    assert not np.isin(one, other).any()


@each_sampler
def test_the_generator_moves_on(draw):
    rng = np.random.default_rng(3)
    assert not np.isin(draw(50, rng=rng), draw(50, rng=rng)).any()


@each_sampler
def test_no_global_state_is_touched(draw):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw(5, rng=np.random.default_rng(0))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("name", NEAR)
def test_law_along_directions(name):
    n, directions = 20_000, np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, -0.6]])
    along = np.sort(SAMPLERS[name](n, rng=np.random.default_rng(5)) @ directions.T, axis=0)
    centres = MIXTURE.means @ directions.T
    spreads = np.sqrt(np.einsum("mi,kij,mj->km", directions, MIXTURE.covariances, directions))
    parts = norm.cdf((along[:, None] - centres) / spreads)
    truth = np.einsum("k,nkm->nm", MIXTURE.weights, parts)
    rank = np.arange(1, n + 1)[:, None] / n
    distance = np.maximum(np.abs(rank - truth), np.abs(rank - 1 / n - truth)).max()
    assert distance <= dvoretzky(n, comparisons=4 * len(NEAR)) + NEAR[name]
