r"""Mean square errors of fields that are polynomials on every cell of a partition, as certificates.

With the tables T and S of a cell (:mod:`symscore.exact.distances.cell_moments`), a field q of
polynomials ``q_c`` on the cells has

.. math:: E_M |s - q|^2 = J + \sum_c \sum_j \Bigl( \int_{V_c} q_{c,j}^2 \, p \, dx
    - 2 \int_{V_c} s_j q_{c,j} \, p \, dx \Bigr)

and the least value over all q of a degree, reached by least squares cell by cell, is

.. math:: J - \sum_c \sum_j b_{c,j}^{\mathsf T} G_c^{-1} b_{c,j}, \qquad
    G_c = \bigl(T(\alpha + \beta)\bigr), \quad b_{c,j} = \bigl(S_j(\alpha)\bigr).
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from flint import arb, arb_mat

from symscore.exact.arithmetic.balls import Enclosure, narrowed
from symscore.exact.arithmetic.moments import added
from symscore.exact.arithmetic.polynomial import FieldLike, as_field, expectation, product
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.certificate import Certificate, Claim
from symscore.exact.distances.cell_moments import Table, check_cells
from symscore.exact.distances.cell_scores import Source, by_divergence, by_gradient
from symscore.exact.distances.cells import Cells
from symscore.exact.distances.piecewise_inputs import (
    BestInputs,
    GivenInputs,
    read_best,
    read_given,
    write_best,
    write_given,
)
from symscore.exact.information.fisher import fisher_enclosure, fisher_enclosure_again, width_of
from symscore.exact.mixture import ExactMixture

# From a mixture and a width to an enclosure of J.
Information: TypeAlias = Callable[[RationalMixture, Fraction], Enclosure]


def best_piecewise_error(
    mixture: ExactMixture | RationalMixture, cells: Cells, degree: int, *, digits: int = 12
) -> Certificate:
    r"""Certify how near polynomials of one degree on every cell come to a mixture's score.

    .. math:: \min_q E_M |s - q|^2, \qquad q|_{V_c} \in (\mathcal P_{\mathrm{degree}})^d

    Parameters
    ----------
    mixture : ExactMixture or RationalMixture
        With rational parameters; its Fisher information must be one that can be certified.
    cells : Slabs or Grid
        A grid needs diagonal covariances.
    degree : int
        Total degree of the polynomials.
    digits : int
        The enclosure is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData
        If the mixture has symbols, or mixture and cells differ in dimension.
    UnsupportedInstance
        On a grid with covariances that are not diagonal, or without a method for J.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> from symscore.exact.distances.cells import Slabs
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> print(best_piecewise_error(two, Slabs([1], [0]), 1))
    best-piecewise-error = 0.01949086614... (within ..., divergence theorem)
    """
    inputs = BestInputs(RationalMixture.of(mixture), cells, degree)
    return BEST_PIECEWISE.certify(inputs, width_of(digits))


def piecewise_error(
    mixture: ExactMixture | RationalMixture,
    cells: Cells,
    pieces: Sequence[FieldLike],
    *,
    digits: int = 12,
) -> Certificate:
    r"""Certify how far given polynomials on the cells are from a mixture's score.

    .. math:: E_M |s - q|^2, \qquad q = q_c \text{ on } V_c

    Parameters
    ----------
    mixture, cells, digits
        As in :func:`best_piecewise_error`.
    pieces : sequence of fields
        One a cell, in the order of the cells; each is as in
        :func:`symscore.exact.distances.polynomial_error`.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData, UnsupportedInstance, NotCertified
        As :func:`best_piecewise_error` does, and BadData if there is not one field a cell.

    Examples
    --------
    >>> from symscore.exact.distances.cells import Slabs
    >>> one = ExactMixture([1], [0], [1])
    >>> halves = [[{(1,): -1}], [{(1,): 0}]]
    >>> print(piecewise_error(one, Slabs([1], [0]), halves))
    piecewise-error = 0.5000... (within ..., divergence theorem)
    """
    rational = RationalMixture.of(mixture)
    given = tuple(as_field(piece, rational.dim, f"pieces[{i}]") for i, piece in enumerate(pieces))
    inputs = GivenInputs(rational, cells, given)
    return PIECEWISE.certify(inputs, width_of(digits))


def given_error(
    inputs: GivenInputs, width: Fraction, source: Source, information: Information
) -> Enclosure:
    """Enclose the error of given polynomials."""

    def excess(bits: int) -> arb:
        value = arb(0)
        tables = source(inputs.mixture, inputs.cells, inputs.degree)
        for piece, (table, scores) in zip(inputs.pieces, tables, strict=True):
            for q, score in zip(piece, scores, strict=True):
                value += expectation(product(q, q), table) - 2 * expectation(q, score)
        return value

    return _plus_information(inputs, width, excess, information)


def best_error(
    inputs: BestInputs, width: Fraction, source: Source, information: Information
) -> Enclosure:
    """Enclose the least error."""

    def excess(bits: int) -> arb:
        value = arb(0)
        for table, scores in source(inputs.mixture, inputs.cells, inputs.degree):
            value -= _captured(table, scores)
        return value

    return _plus_information(inputs, width, excess, information)


def _captured(table: Table, scores: list[Table]) -> arb:
    r"""Return :math:`\sum_j b_j^{\mathsf T} G^{-1} b_j`; not finite at too low a precision."""
    basis = list(scores[0])
    gram = arb_mat([[table[added(a, b)] for b in basis] for a in basis])
    right = arb_mat([[score[a] for score in scores] for a in basis])
    solution = gram.solve(right, nonstop=True)
    products = zip(right.entries(), solution.entries(), strict=True)
    return sum((b * c for b, c in products), arb(0))


def _plus_information(
    inputs: BestInputs | GivenInputs,
    width: Fraction,
    excess: Callable[[int], arb],
    information: Information,
) -> Enclosure:
    check_cells(inputs.mixture, inputs.cells)
    j = information(inputs.mixture, width / 2)
    # Gram matrices of high degree want hundreds of bits before they can be inverted at all.
    rest = narrowed(excess, width / 2, patience=PATIENCE)
    # A mean square is not negative.
    return Enclosure(max(j.lower + rest.lower, Fraction(0)), j.upper + rest.upper)


PATIENCE = 12

_EXCLUDES = (
    "It is an average over M: at single points, near the edges of cells above all, the field may "
    "be further from the score.",
    "The field jumps from cell to cell, so it is no gradient and belongs to no density.",
)

BEST_PIECEWISE = Claim(
    name="best-piecewise-error",
    statement="min_q E_M |s - q|^2, q a polynomial field of the degree on every cell",
    excludes=(*_EXCLUDES, "It does not say that a fit to data finds the best field."),
    read=read_best,
    write=write_best,
    routes={
        "divergence theorem": partial(
            best_error, source=by_divergence, information=fisher_enclosure
        ),
        "gradients and incomplete gamma functions": partial(
            best_error, source=by_gradient, information=fisher_enclosure_again
        ),
    },
)

PIECEWISE = Claim(
    name="piecewise-error",
    statement="E_M |s - q|^2, q the given polynomial field on every cell",
    excludes=(
        *_EXCLUDES,
        "It is about the rational coefficients written here, not about rounded evaluation.",
    ),
    read=read_given,
    write=write_given,
    routes={
        "divergence theorem": partial(
            given_error, source=by_divergence, information=fisher_enclosure
        ),
        "gradients and incomplete gamma functions": partial(
            given_error, source=by_gradient, information=fisher_enclosure_again
        ),
    },
)
