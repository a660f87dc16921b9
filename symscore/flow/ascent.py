"""Ascent of a flow's log density to its modes and passes, many points at once.

A step follows the linearised gradient flow exactly (exponential Rosenbrock-Euler): with gradient g
and Hessian H = V diag(h) V^T at u, the solution of du/dt = g + H (u - u_0) after time t is

    u_0 + V diag((exp(t h) - 1) / h) V^T g,

a Newton step where t is infinite and H negative, and no longer than a stiff direction allows
where it is not. The time is the longest that keeps the step within a radius, and the radius follows
how well the quadratic model foretold the change of the log density: so the path stays close to that
of gradient ascent, whose end says to which basin a point belongs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from symscore.arrays import FloatArray, for_each_block
from symscore.flow.kernels import density_rows

if TYPE_CHECKING:
    from symscore.flow.flow import ScoreFlow

ROWS = 32
STEPS = 60
# The gradient is right to about 1e-12: this difference step loses half its digits, no more.
DIFFERENCE = 1e-6
# A Newton step that gains this many nats is shorter than 2e-5 local standard deviations, and
# leaves an error of about its square.
CONVERGED = 1e-10
# Bisections of log t: an end interval of 1e-5 of the time.
HALVINGS = 24
LONGEST, SHORTEST = 1e6, 1e-9

Settled = Callable[[FloatArray], np.ndarray]


@final
@dataclass(frozen=True, eq=False)
class Landscape:
    """Log density of a flow over its whitened frame, in nats of the data's units."""

    flow: "ScoreFlow"

    def at(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log q (n,) and its gradient in u (n, d); NaN where the flow cannot be inverted."""
        scores = np.empty_like(u)
        return self._evaluate(u, scores), scores @ self.flow.ladder.frame.scale_tril

    def heights(self, u: FloatArray) -> FloatArray:
        """Return log q (n,); minus infinity where the flow cannot be inverted."""
        values = self._evaluate(u, np.empty((0, self.flow.dim)))
        return np.where(np.isnan(values), -np.inf, values)

    def _evaluate(self, u: FloatArray, scores: FloatArray) -> FloatArray:
        """Return log q (n,), and write its gradient in x to `scores` if that has rows."""
        x = np.ascontiguousarray(self.flow.ladder.frame.unwhiten(u))
        values = np.empty(len(x))
        for_each_block(
            lambda rows: density_rows(*self.flow.packed, x[rows], values[rows], scores[rows]),
            len(x),
            ROWS,
        )
        return values

    def hessian(self, u: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return the symmetric Hessian (n, d, d) by forward differences of the gradient."""
        n, d = u.shape
        moved = u[:, None] + DIFFERENCE * np.eye(d)
        ahead = self.at(moved.reshape(-1, d))[1].reshape(n, d, d)
        slope = (ahead - gradient[:, None]) / DIFFERENCE
        return (slope + slope.swapaxes(1, 2)) / 2

    def rough_hessian(self, u: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return the derivative of the learned score at the smallest noise level, (n, d, d).

        At next to no cost beside :meth:`hessian`. It lacks what the steps before the last add, and
        steps are the shorter for it.
        """
        field = self.flow.ladder.fields[-1]
        slope = field.jacobian(field.level.alpha * u)
        return (slope + slope.swapaxes(1, 2)) / 2


@final
@dataclass(frozen=True, eq=False)
class Climb:
    """Where n ascents ended: points u (n, d), log densities (n,), and how."""

    u: FloatArray
    log_densities: FloatArray
    converged: np.ndarray  # (n,) of bool: at a stationary point of the kind sought
    settled: np.ndarray  # (n,) of bool: stopped by `settled`


def climb(
    land: Landscape,
    u: FloatArray,
    *,
    to_pass: bool = False,
    rough: bool = False,
    steps: int = STEPS,
    settled: Settled | None = None,
) -> Climb:
    """Follow gradient ascent from u (n, d).

    Parameters
    ----------
    to_pass : bool
        Descend along the eigenvector of the Hessian's largest eigenvalue and ascend otherwise: the
        end is a saddle point with one direction up.
    rough : bool
        Use the rough Hessian, at a (d + 1)-th of the cost of a step.
    steps : int
        At most so many.
    settled : callable, optional
        Given points (m, d), says of each (m,) whether an ascent may stop there.
    """
    u = np.array(u)
    values, gradients = land.at(u)
    hessian = land.rough_hessian if rough else land.hessian
    models = hessian(u, gradients)
    radii = 0.5 / np.sqrt(np.maximum(np.abs(models).max(axis=(1, 2)), SHORTEST))
    converged, stopped = np.zeros(len(u), dtype=bool), np.zeros(len(u), dtype=bool)
    active = np.flatnonzero(_usable(values, models))
    for _ in range(steps):
        if not active.size:
            break
        step, foretold, scale, free = _steps(
            gradients[active], models[active], radii[active], to_pass=to_pass
        )
        trial = u[active] + step
        new_values, new_gradients = land.at(trial)
        done = free & (scale < CONVERGED)
        misfit = np.abs(new_values - values[active] - foretold) / np.maximum(scale, CONVERGED)
        good = (misfit < 0.5) | done  # NaN is not
        radii[active] *= np.where(misfit < 0.1, 2.0, np.where(misfit < 0.3, 1.0, 0.3))
        taken = active[good]
        u[taken], values[taken] = trial[good], new_values[good]
        gradients[taken] = new_gradients[good]
        converged[active[done]] = np.isfinite(new_values[done])
        if settled is not None and taken.size:
            stopped[taken] = settled(u[taken])
        moving = taken[~(converged | stopped)[taken]]
        models[moving] = hessian(u[moving], gradients[moving])
        lost = radii[active] < SHORTEST
        keep = ~done & ~stopped[active] & ~lost & _usable(values[active], models[active])
        active = active[keep]
    return Climb(u, values, converged, stopped)


def _usable(values: FloatArray, models: FloatArray) -> np.ndarray:
    return np.isfinite(values) & np.isfinite(models).all(axis=(1, 2))


def _steps(
    gradients: FloatArray, models: FloatArray, radii: FloatArray, *, to_pass: bool
) -> tuple[FloatArray, FloatArray, FloatArray, np.ndarray]:
    """Return steps (m, d), the change foretold (m,), its size (m,) and whether each is Newton's.

    The size sums the changes of the eigendirections without regard to sign.
    """
    curvature, axes = np.linalg.eigh(models)
    slopes = np.einsum("nij,ni->nj", axes, gradients)
    rates, pulls = curvature.copy(), slopes.copy()
    if to_pass:
        rates[:, -1], pulls[:, -1] = -curvature[:, -1], -slopes[:, -1]
    moves, free = _within(rates, pulls, radii)
    changes = slopes * moves + 0.5 * curvature * moves**2
    step = np.einsum("nij,nj->ni", axes, moves)
    return step, changes.sum(axis=1), np.abs(changes).sum(axis=1), free


def _within(
    rates: FloatArray, pulls: FloatArray, radii: FloatArray
) -> tuple[FloatArray, np.ndarray]:
    """Return (exp(t h) - 1) / h * g for the longest t that the radius allows.

    Also whether it allows any t: the step is then Newton's.
    """
    stable = (rates < 0).all(axis=1)
    newton = -pulls / np.where(rates < 0, rates, -1.0)
    free = stable & (np.linalg.norm(newton, axis=1) <= radii)
    scale = np.maximum(np.abs(rates).max(axis=1), SHORTEST)
    low = np.full(len(rates), np.log(SHORTEST)) - np.log(scale)
    high = np.full(len(rates), np.log(LONGEST)) - np.log(scale)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = np.linalg.norm(_moved(rates, pulls, middle), axis=1) <= radii
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.where(free[:, None], newton, _moved(rates, pulls, low)), free


def _moved(rates: FloatArray, pulls: FloatArray, log_time: FloatArray) -> FloatArray:
    time = np.exp(log_time)[:, None]
    grown = np.clip(rates * time, -700.0, 300.0)
    small = np.abs(grown) < 1e-8
    factor = np.where(small, time, np.expm1(grown) / np.where(small, 1.0, rates))
    return factor * pulls
