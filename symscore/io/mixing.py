"""How well the chains of some draws have mixed: ArviZ's figures, column by column."""

import warnings
from typing import Any

import numpy as np

from symscore.arrays import FloatArray
from symscore.io.draws import Draws
from symscore.learn.mixing import Mixing

FEWEST_DRAWS = 4  # a chain, below which ArviZ computes neither figure


def mixing_of(draws: Draws) -> Mixing:
    r"""Compute the bulk effective sample size and R-hat of every column.

    Of n draws in all, whose normal scores z have the autocorrelations :math:`\rho_k` within the
    halves of chains, of m draws each, and the variances W within and B / m between these halves,

    .. math:: S = \frac{n}{1 + 2 \sum_{k \ge 1} \rho_k}, \qquad
        \hat R = \sqrt{1 + \frac{B - W}{m W}} ;

    R-hat is the larger of that of z and of its folded twin (Vehtari et al. 2021). Of chains with
    shares :math:`p_k`, which may differ for good, each is taken alone, there is no R-hat, and

    .. math:: S = \Bigl( \sum_k p_k^2 / S_k \Bigr)^{-1}, \qquad
        n = \Bigl( \sum_k p_k^2 / n_k \Bigr)^{-1} .

    Parameters
    ----------
    draws : Draws
        Of chains of one length, as :func:`~symscore.io.draws.from_arviz` gives them.

    Returns
    -------
    Mixing

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(400, 1))
    >>> found = mixing_of(Draws(values, ("mu",), np.repeat([0, 1], 200)))
    >>> 250 < found.smallest < 600, found.largest_rhat < 1.05
    (True, True)
    """
    n_chains = len(np.unique(draws.chains))
    blocks = draws.values.reshape(n_chains, -1, len(draws.names))
    if draws.shares is not None:
        return _of_shares(blocks, draws.names, draws.shares)
    unknown = np.full(len(draws.names), np.nan)
    effective = rhat = unknown
    if blocks.shape[1] >= FEWEST_DRAWS:
        arviz = _arviz()
        # A column that does not vary divides zero by zero; the fit refuses it by name.
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = _by_column(arviz.ess, blocks)
            rhat = _by_column(arviz.rhat, blocks) if n_chains > 1 else unknown
    return Mixing(draws.names, len(draws.values), effective, rhat)


def _of_shares(blocks: FloatArray, names: tuple[str, ...], shares: FloatArray) -> Mixing:
    alone = [
        mixing_of(Draws(block, names, np.zeros(len(block), dtype=np.int64))) for block in blocks
    ]
    effective = 1 / sum(p**2 / one.effective for p, one in zip(shares, alone, strict=True))
    n_draws = round(blocks.shape[1] / float((shares**2).sum()))
    return Mixing(names, n_draws, effective, np.full(len(names), np.nan))


def _by_column(statistic: Any, blocks: FloatArray) -> FloatArray:
    """Return a statistic of ArviZ for each of the columns of (chains, draws, columns)."""
    return np.array([float(statistic(column)) for column in np.moveaxis(blocks, 2, 0)])


def _arviz() -> Any:
    with warnings.catch_warnings():
        # ArviZ 0.23 warns of its successor when imported.
        warnings.simplefilter("ignore")
        import arviz
    return arviz
