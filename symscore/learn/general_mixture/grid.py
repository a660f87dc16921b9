"""Step A1: the times at which scores are learned, half of them uniform and half geometric."""

import math

from symscore.errors import BadOption
from symscore.schedule import NoiseLevel


def time_grid(horizon: float, stop: float, step: float) -> tuple[NoiseLevel, ...]:
    r"""Return the levels of forward times :math:`T = t_0 > t_1 > \dots > t_N = \delta`.

    The times are uniform from T to 1 and geometric from 1 to :math:`\delta`, with

    .. math:: t_\ell - t_{\ell + 1} \le \kappa \min(1, t_{\ell + 1}) .

    Lemma 12 of arXiv 2404.18893 prints late steps :math:`\kappa / (1 + \kappa)^\ell`, which add up
    to more than the time left; here they are :math:`\kappa / (1 + \kappa)^{\ell + 1}`.

    Parameters
    ----------
    horizon : float
        T >= 1, where the law of the data is nearly that of the noise.
    stop : float
        :math:`\delta < 1`, where the sampler stops.
    step : float
        :math:`\kappa > 0`; the steps are shortened to fit.

    Raises
    ------
    BadOption
        Where a parameter is outside its domain.

    Examples
    --------
    >>> [round(level.t, 3) for level in time_grid(2.0, 0.25, 1.0)]
    [2.0, 1.0, 0.5, 0.25]
    """
    if not (1 <= horizon < math.inf and 0 < stop < 1 and 0 < step < math.inf):
        raise BadOption(
            "Expected horizon >= 1, 0 < stop < 1 and a positive step; "
            f"got {horizon}, {stop} and {step}."
        )
    early = math.ceil((horizon - 1) / step)
    late = max(1, math.ceil(-math.log(stop) / math.log1p(step)))
    times = [horizon - (horizon - 1) * j / early for j in range(early)]
    times += [stop ** (j / late) for j in range(late + 1)]
    return tuple(NoiseLevel.from_time(t) for t in times)
