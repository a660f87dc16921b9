"""A small flow built by hand, and PyTensor without compilers, which start faster than they run."""

from collections.abc import Callable, Iterator

import numpy as np
import pytensor
import pytest
from pytensor.compile.mode import Mode

from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow
from symscore.learn.field import PiecewiseScore
from symscore.learn.frame import Whitening
from symscore.learn.hermite import n_features
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel, Schedule


def build(
    means: list,
    names: tuple[str, ...],
    seed: int,
    blocks: tuple[Block, ...] = (),
    variance: float = 0.05,
) -> ScoreFlow:
    """Two narrow modes of masses .35 and .65, with small random deviations of degree 1."""
    rng = np.random.default_rng(seed)
    dim = len(names)
    spread = rng.normal(size=(2, dim, dim))
    covariances = variance * (np.eye(dim) + spread @ spread.swapaxes(1, 2))
    crude = GaussianMixture([0.35, 0.65], means, covariances)
    schedule = Schedule.up_to(10 / np.sqrt(np.linalg.eigvalsh(covariances).min()), max_ratio=2)
    shape = (2, n_features(dim, 1), dim)
    fields = [
        PiecewiseScore(crude, NoiseLevel.from_kappa(kappa), 0.01 * rng.normal(size=shape), 3.0)
        for kappa in schedule.field_kappas
    ]
    frame = Whitening(rng.normal(size=dim), np.diag(1.5 + np.arange(dim)) + 0.3 * np.tri(dim, k=-1))
    return ScoreFlow(ScoreLadder(frame, schedule, fields, names), Chart(blocks or _free(names)))


def _free(names: tuple[str, ...]) -> tuple[Block, ...]:
    return tuple(Block("free", (name,)) for name in names)


@pytest.fixture(scope="session")
def flow() -> ScoreFlow:
    return build([[-1.5, 0.5], [1.5, -0.5]], ("a", "b"), seed=1)


@pytest.fixture(scope="session")
def other_flow() -> ScoreFlow:
    return build([[-1.0, 1.0], [1.0, 0.0]], ("a", "b"), seed=2)


@pytest.fixture(scope="session")
def wide_flow() -> ScoreFlow:
    """A flow of fewer steps."""
    return build([[-1.0, 1.0], [1.0, 0.0]], ("a", "b"), seed=2, variance=0.5)


@pytest.fixture(scope="session")
def line() -> ScoreFlow:
    """A flow of one variable."""
    return build([[-1.5], [1.5]], ("a",), seed=3)


@pytest.fixture(scope="session")
def bounded() -> ScoreFlow:
    """A flow of a positive column and one in (-1, 3)."""
    blocks = (Block("lower", ("a",), lower=0.0), Block("interval", ("b",), -1.0, 3.0))
    return build([[-0.4, 0.5], [0.4, -0.5]], ("a", "b"), seed=4, blocks=blocks)


@pytest.fixture(scope="session")
def shares() -> ScoreFlow:
    """A flow of three columns that sum to one, and an angle."""
    blocks = (Block("simplex", ("a", "b", "c")), Block("circle", ("d",), -3.0, 3.0, cut=1.0))
    means = [[-0.4, 0.5, 0.2], [0.4, -0.5, 0.0]]
    return build(means, ("a", "b", "d"), seed=5, blocks=blocks)


@pytest.fixture(scope="session")
def rate() -> ScoreFlow:
    """A flow of one positive column."""
    blocks = (Block("lower", ("a",), lower=2.0),)
    return build([[-0.3], [0.3]], ("a",), seed=6, blocks=blocks)


@pytest.fixture(scope="session")
def optimised() -> Mode:
    """All rewrites, run by Python."""
    return Mode(linker="py", optimizer="fast_run")


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest) -> Iterator[None]:
    """Python in place of compiled C or numba where a test names no mode, unless it is slow."""
    slow = request.node.get_closest_marker("slow") is not None
    mode = pytensor.config.mode if slow else "FAST_COMPILE"
    with pytensor.config.change_flags(mode=mode):
        yield


Function = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def check_gradient() -> Callable[[Function, np.ndarray, np.ndarray], None]:
    """A check of gradients (n, d) of a function (n, d) -> (n,) against differences."""

    def check(function: Function, points: np.ndarray, gradient: np.ndarray) -> None:
        def differences(step: float) -> np.ndarray:
            shifts = step * np.eye(points.shape[1])
            ends = [(function(points + s) - function(points - s)) / (2 * step) for s in shifts]
            return np.stack(ends, axis=1)

        fine, coarse = differences(1e-5), differences(2e-5)
        # The error falls as the square of the step, so that (fine - coarse) / 3 estimates it, and
        # values are good to a few thousand roundings: about 20 steps of a few hundred operations.
        truncation = np.abs(fine - coarse)
        rounding = 1e4 * np.finfo(float).eps * (1 + np.abs(function(points)).max()) / 1e-5
        assert np.all(np.abs(gradient - fine) <= truncation + rounding)
        assert np.abs(gradient).max() > 100 * (truncation + rounding).max()

    return check
