"""Certificates of how far a learned score on the line is from a known one."""

from fractions import Fraction

from flint import fmpq

from symscore.bridge.learned import rational, to_exact_field
from symscore.errors import BadOption, UnsupportedInstance
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import as_fraction
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell, LearnedField
from symscore.exact.certificate import Certificate
from symscore.exact.distances.soft_error import soft_field_error
from symscore.exact.distances.soft_field import SoftCell, SoftField
from symscore.learn.blend import SoftScore
from symscore.learn.frame import Whitening
from symscore.schedule import NoiseLevel


def certify_learned(
    score: SoftScore,
    mixture: ExactMixture,
    *,
    frame: Whitening | None = None,
    digits: int = 8,
) -> Certificate:
    r"""Certify how far a learned score on the line is from the true one at its noise level.

    .. math:: E |s_t(x_t) - \hat s(x_t)|^2, \qquad
        x_t = \alpha \, (X - \mathrm{loc}) / \mathrm{scale} + \sigma z, \quad X \sim M

    with the true score :math:`s_t` of :math:`x_t`. The learned score is that of the exact field
    (:mod:`symscore.bridge.learned`), and alpha, sigma, loc and scale are the rational numbers that
    the floats of the level and of the frame stand for.

    A score in more dimensions that varies along one line only is covered after projection on that
    line; there is no such fit here, so it is refused.

    Parameters
    ----------
    score : PiecewiseScore or BlendedScore
        In one dimension, such as ``ladder.at(i)``.
    mixture : ExactMixture
        M, the law of the clean data, with rational parameters.
    frame : Whitening, optional
        That of the ladder; by default M is in the coordinates of the score.
    digits : int
        The enclosure is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate
        Of the claim ``"soft-field-error"``, in the coordinate :math:`x_t`.

    Raises
    ------
    BadOption
        If `score` is no learned score, or M or the frame has another dimension.
    UnsupportedInstance
        In more than one dimension.
    BadData
        If M has symbols.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> import numpy as np
    >>> from symscore import GaussianMixture, PiecewiseScore
    >>> crude = GaussianMixture([1.0], [[0.0]], [[[2.0]]])
    >>> learned = PiecewiseScore(crude, NoiseLevel(0.6, 0.8), np.zeros((1, 0, 1)))
    >>> certificate = certify_learned(learned, ExactMixture([1], [0], [1]))
    >>> round(float(certificate), 6)  # of the slope, 1 - 1/1.36, at unit variance
    0.070069
    """
    field = to_exact_field(score).field
    loc, scale = (0.0, 1.0) if frame is None else (frame.loc[0], frame.scale_tril[0, 0])
    dims = {field.dim, mixture.dim, 1 if frame is None else frame.dim}
    if field.dim != 1:
        raise UnsupportedInstance(
            f"Expected a score on the line; got one in {field.dim} dimensions, in which the error "
            "of gated cells is not certified."
        )
    if dims != {1}:
        raise BadOption("Expected a mixture and a frame of one dimension, as the score has.")
    start, unit = rational(float(loc)), rational(float(scale))
    alpha, sigma = rational(score.level.alpha), rational(score.level.sigma)
    noised = _noised(RationalMixture.of(mixture), start, unit, alpha, sigma)
    return soft_field_error(noised, soft_score(field, score.level), digits=digits)


def soft_score(field: LearnedField, level: NoiseLevel) -> SoftField:
    r"""Return the score that a denoiser on the line stands for, in the coordinate x_t.

    .. math:: \hat s(x) = \frac{\alpha D(x / \sigma) - x}{\sigma^2}
    """
    sigma = rational(level.sigma)
    ratio = rational(level.alpha) / sigma
    blocks = [
        tuple(_soft_cell(field, block, cell, ratio * block.share) for cell in block.cells)
        for block in field.blocks
    ]
    drift = SoftField.polynomial([fmpq(0), fmpq(-1)])
    return SoftField((*blocks, *drift.blocks)).moved(Fraction(0), as_fraction(sigma))


def _soft_cell(
    field: LearnedField, block: LearnedBlock, cell: LearnedCell, factor: fmpq
) -> SoftCell:
    ((scale,),) = cell.whiten
    (polynomial,) = cell.deviation
    gain = field.gain(cell)[0, 0]
    degree = max((power for (power,) in polynomial), default=-1)
    return SoftCell(
        weight=cell.weight,
        centre=field.centre(cell)[0],
        variance=1 / scale**2,
        plain=(factor * cell.mean[0], factor * gain),
        damped=tuple(
            factor * polynomial.get((power,), fmpq(0)) * scale**power for power in range(degree + 1)
        ),
        rate=block.rate * scale**2,
    )


def _noised(
    mixture: RationalMixture, loc: fmpq, scale: fmpq, alpha: fmpq, sigma: fmpq
) -> RationalMixture:
    """Return the law of ``alpha (X - loc) / scale + sigma z``."""
    factor = alpha / scale
    return RationalMixture(
        mixture.weights,
        tuple((factor * (mean - loc),) for (mean,) in mixture.means),
        tuple(((factor**2 * variance + sigma**2,),) for ((variance,),) in mixture.covariances),
    )
