"""Three unit components in the plane: population descent and EM by quadrature, in floats."""

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.ddpm import means as formulas
from symscore.learn.ddpm.descent import descend

TRUTH = np.array([[0.0, 0.0], [4.0, 0.0], [1.0, 4.0]])
REACH = 8.0


def population(truth: FloatArray, *, step: float = 0.15) -> tuple[FloatArray, FloatArray]:
    r"""Return quadrature nodes (n, 2) and weights (n,) of the equal mixture of unit components.

    The trapezoid rule errs by about :math:`e^{-2 \pi a / h}` with a the half-width of the strip on
    which gates are analytic, :math:`\pi` over the distance of the means.
    """
    axis = np.arange(-REACH, REACH + step / 2, step)
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    weights = np.exp(-0.5 * (nodes**2).sum(axis=1))
    x = np.concatenate([nodes + centre for centre in truth])
    return x, np.tile(weights / (len(truth) * weights.sum()), len(truth))


def start(truth: FloatArray, distance: float, *, seed: int) -> FloatArray:
    """Return means (k, 2) at a distance from the truth, in random directions."""
    turn = 2 * np.pi * np.random.default_rng(seed).random(len(truth))
    return truth + distance * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def descent_errors(
    truth: FloatArray, at: FloatArray, steps: int, *, step: float = 0.15
) -> list[float]:
    """Return the largest error of a mean before and after each step of size K / 2."""
    x, weights = population(truth, step=step)
    found = [error(at, truth)]
    for _ in range(steps):
        at, _ = descend(
            at, lambda rows: formulas.stein_gradient(rows, x, weights), rate=len(at) / 2, steps=1
        )
        found.append(error(at, truth))
    return found


def error(found: FloatArray, truth: FloatArray) -> float:
    """Return the largest distance of a mean from the true one of its index."""
    return float(np.linalg.norm(found - truth, axis=1).max())
