r"""Heat times (step B1) and the reverse update in the paper's own coordinates (step B6).

The paper adds noise by the heat flow, :math:`y_t = x_0 + \sqrt t \, \xi`. The point of the level
``alpha = 1 / sqrt(1 + t)`` is :math:`x_t = \alpha y_t`, so that ``kappa = 1 / sqrt(t)``.
"""

import math

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.schedule import NoiseLevel


def level_of(t: float) -> NoiseLevel:
    """Return the level whose points are those of heat time t > 0, scaled by alpha."""
    return NoiseLevel.from_kappa(1 / math.sqrt(t))


def heat_times(first: float, last: float, step: float) -> tuple[float, ...]:
    r"""Return the falling heat times of step B1, from `first` to `last`.

    .. math:: t_k + 1 = (t_{k+1} + 1) \max\{e^{-2 \kappa}, (t_{k+1} + 1)^{-\kappa / (\kappa + 1)}\}

    Theorem 3.1 of arXiv 2404.18869 prints the exponent :math:`-\kappa`, with which a step exceeds
    the size that its proof allows; the exponent here is the proof's. A step that would pass `last`
    ends there.

    Parameters
    ----------
    first, last : float
        With first > last > 0.
    step : float
        The step size :math:`\kappa > 0`.

    Examples
    --------
    >>> [round(t, 3) for t in heat_times(1.0, 0.2, 0.5)]
    [1.0, 0.587, 0.361, 0.228, 0.2]
    """
    if not (first > last > 0 and step > 0):
        raise BadOption(f"Expected first > last > 0 and step > 0; got {first}, {last} and {step}.")
    times = [first]
    while times[-1] > last:
        size = math.log1p(times[-1])
        times.append(max(math.expm1(size - min(2 * step, step / (step + 1) * size)), last))
    return tuple(times)


def n_heat_times(first: float, last: float, step: float) -> float:
    r"""Return an upper bound on the number of :func:`heat_times`.

    While :math:`\ln(t + 1) \ge 2 (\kappa + 1)` a step takes :math:`2 \kappa` off that logarithm;
    then a step divides it by :math:`\kappa + 1`.
    """
    size = math.log1p(first)
    bend = min(size, 2 * (step + 1))
    slow = math.log(bend / math.log1p(last)) / math.log1p(step)
    return 3 + (size - bend) / (2 * step) + max(slow, 0.0)


def heat_step(
    y: FloatArray, score: FloatArray, before: float, after: float, z: FloatArray
) -> FloatArray:
    r"""Move points from heat time `before` to the smaller time `after`: step B6.

    .. math::

        y \leftarrow y + 2 \left[(t_{k+1} + 1) - \sqrt{(t_k + 1) (t_{k+1} + 1)}\right] s(y)
            + \sqrt{t_{k+1} - t_k} \, z

    Algorithm 1 of arXiv 2404.18869 prints :math:`t - 1` for :math:`t + 1`, which has no square
    root where t crosses 1. The update starts from N(0, (T + 1) I), and is the exponential
    integrator of :func:`~symscore.learn.diffusion.reverse_diffusion` in other coordinates.

    Parameters
    ----------
    y, z : (n, d) array
        Points, and standard normal noise.
    score : (n, d) array
        Of the density of :math:`y_t` at `before`.
    before, after : float
        :math:`t_{k+1} > t_k`.
    """
    pull = (before + 1) - math.sqrt((after + 1) * (before + 1))
    return np.asarray(y + 2 * pull * score + math.sqrt(before - after) * z)
