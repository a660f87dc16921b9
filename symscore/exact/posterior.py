"""What a noisy point tells: the posterior, and its moments and cumulants of every order."""

import sympy
from sympy import Expr, Matrix

from symscore.errors import BadOption
from symscore.exact.arithmetic.moments import Exponent, exponents, lowered
from symscore.exact.cumulants import check_partitions, cumulants
from symscore.exact.matrices import adjugate_and_determinant
from symscore.exact.mixture import ExactMixture
from symscore.exact.mixture_checks import Rows, Vector, as_alpha
from symscore.exact.numbers import ExactLike, as_exact_vector


def posterior(mixture: ExactMixture, x: ExactLike | Vector, alpha: ExactLike) -> ExactMixture:
    r"""Return the law of the clean point given a noisy one, a mixture again.

    .. math:: x_0 \mid \alpha x_0 + \sigma z = x \;\sim\; \sum_i r_i(x) \,
        N(m_i + \alpha C_i K_i^{-1} (x - \alpha m_i), \; \sigma^2 C_i K_i^{-1}),
        \qquad K_i = \alpha^2 C_i + \sigma^2 I

    with :math:`\sigma^2 = 1 - \alpha^2` and the responsibilities r_i of ``mixture.at(alpha)``:
    conditioning of each Gaussian, :math:`C - \alpha^2 C K^{-1} C = \sigma^2 C K^{-1}`.

    Parameters
    ----------
    mixture : ExactMixture
        The law of x_0, in d dimensions.
    x : (d,) sequence
        The noisy point.
    alpha : exact scalar
        In (0, 1).

    Raises
    ------
    BadOption
        If alpha is provably outside (0, 1); at 1 the posterior is a point mass.

    Examples
    --------
    >>> posterior(ExactMixture([1], [0], [4]), 1, "3/5")
    ExactMixture(weights=(1,), means=((15/13,),), covariances=(((16/13,),),))
    """
    if as_alpha(alpha) == 1:
        raise BadOption("Expected alpha < 1; got 1, where the noisy point is the clean one.")
    return ExactMixture(*_posterior(mixture, x, alpha))


def posterior_moments(
    mixture: ExactMixture, x: ExactLike | Vector, alpha: ExactLike, *, degree: int
) -> dict[Exponent, Expr]:
    r"""Return the moments of the clean point given a noisy one.

    .. math:: E[x_0^a \mid \alpha x_0 + \sigma z = x], \qquad |a| \le \mathrm{degree},
        \qquad x_0^a = \prod_j x_{0,j}^{a_j}

    Parameters
    ----------
    mixture : ExactMixture
    x : (d,) sequence
    alpha : exact scalar
        In (0, 1].
    degree : int
        Highest total order.

    Returns
    -------
    dict
        From the exponent, a tuple of d integers, to the moment; that of order zero is 1.

    Raises
    ------
    ResourceLimit
        If there are too many moments.

    Examples
    --------
    >>> posterior_moments(ExactMixture([1], [0], [4]), 1, "3/5", degree=2)
    {(0,): 1, (1,): 15/13, (2,): 433/169}
    """
    weights, means, covariances = _posterior(mixture, x, alpha)
    tables = [_gaussian(m, c, degree) for m, c in zip(means, covariances, strict=True)]
    return _averaged(weights, tables)


def posterior_cumulants(
    mixture: ExactMixture, x: ExactLike | Vector, alpha: ExactLike, *, degree: int
) -> dict[Exponent, Expr]:
    r"""Return the cumulants of the clean point given a noisy one.

    .. math:: \kappa_a = \sum_{\pi} (-1)^{|\pi| - 1} (|\pi| - 1)! \prod_{B \in \pi} E[x_0^{B}]

    over the set partitions of the \|a\| factors of :math:`x_0^a`. With the denoiser D they are its
    derivatives,

    .. math:: \frac{\partial^{|b|} D_j}{\partial x^b} =
        \Big(\frac{\alpha}{\sigma^2}\Big)^{|b|} \kappa_{b + e_j},

    because the log partition function of the posterior is a function of
    :math:`\alpha x / \sigma^2` and generates them.

    Parameters
    ----------
    mixture, x, alpha, degree
        As in :func:`posterior_moments`.

    Returns
    -------
    dict
        From the exponent, of total order 1 to `degree`, to the cumulant.

    Raises
    ------
    ResourceLimit
        If there are too many partitions.

    Examples
    --------
    >>> posterior_cumulants(ExactMixture([1], [0], [4]), 1, "3/5", degree=3)
    {(1,): 15/13, (2,): 16/13, (3,): 0}
    """
    check_partitions(mixture.dim, degree)
    return cumulants(posterior_moments(mixture, x, alpha, degree=degree))


def mean_moments(
    mixture: ExactMixture, x: ExactLike | Vector, *, degree: int
) -> dict[Exponent, Expr]:
    r"""Return the moments of the mean of the component that a point came from.

    .. math:: E[m_I^a \mid x] = \sum_i r_i(x) \, m_i^a, \qquad |a| \le \mathrm{degree}

    Where all covariances are :math:`\sigma^2 I` this is the posterior of the centre behind the
    noise: x itself is the noisy point, and :math:`E[m_I \mid x] = x + \sigma^2 s(x)`.

    Parameters
    ----------
    mixture : ExactMixture
        The law of x.
    x : (d,) sequence
    degree : int

    Returns
    -------
    dict
        From the exponent, a tuple of d integers, to the moment.

    Examples
    --------
    >>> mean_moments(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]), 0, degree=2)
    {(0,): 1, (1,): 0, (2,): 1}
    """
    tables = [
        {a: sympy.Mul(*map(sympy.Pow, mean, a)) for a in exponents(mixture.dim, degree)}
        for mean in mixture.means
    ]
    return _averaged(mixture.responsibilities(x), tables)


def mean_cumulants(
    mixture: ExactMixture, x: ExactLike | Vector, *, degree: int
) -> dict[Exponent, Expr]:
    r"""Return the cumulants of the mean of the component that a point came from.

    Where all covariances are :math:`\sigma^2 I`, with :math:`f(x) = E[m_I \mid x]`,

    .. math:: \frac{\partial^{|b|} f_j}{\partial x^b} = \sigma^{-2 |b|} \kappa_{b + e_j}.

    Parameters
    ----------
    mixture, x, degree
        As in :func:`mean_moments`.

    Returns
    -------
    dict
        From the exponent, of total order 1 to `degree`, to the cumulant.

    Examples
    --------
    >>> mean_cumulants(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]), 0, degree=4)
    {(1,): 0, (2,): 1, (3,): 0, (4,): -2}
    """
    check_partitions(mixture.dim, degree)
    return cumulants(mean_moments(mixture, x, degree=degree))


def _posterior(
    mixture: ExactMixture, x: ExactLike | Vector, alpha: ExactLike
) -> tuple[Vector, Rows, tuple[Rows, ...]]:
    factor = as_alpha(alpha)
    noised = mixture.at(factor)
    gates = noised.responsibilities(x)
    point = Matrix(as_exact_vector(x, "x"))
    means, covariances = [], []
    for mean, covariance, noisy in zip(
        mixture.means, mixture.covariances, noised.covariances, strict=True
    ):
        adjugate, determinant = adjugate_and_determinant(Matrix(noisy))
        gain = Matrix(covariance) * adjugate / determinant
        means.append(tuple(Matrix(mean) + factor * gain * (point - factor * Matrix(mean))))
        covariances.append(_symmetric((1 - factor**2) * gain))
    return gates, tuple(means), tuple(covariances)


def _symmetric(matrix: Matrix) -> Rows:
    # C and K commute, so C K^-1 is symmetric, though not always the same expression twice.
    size = range(matrix.rows)
    return tuple(tuple(matrix[min(i, j), max(i, j)] for j in size) for i in size)


def _gaussian(mean: Vector, covariance: Rows, degree: int) -> dict[Exponent, Expr]:
    # E[x_j x^a] = m_j E[x^a] + sum_l C_jl a_l E[x^(a - e_l)], which is integration by parts.
    dim = len(mean)
    table: dict[Exponent, Expr] = {(0,) * dim: sympy.Integer(1)}
    for a in exponents(dim, degree)[1:]:
        j = next(i for i, power in enumerate(a) if power)
        lower = lowered(a, j)
        table[a] = sympy.Add(
            mean[j] * table[lower],
            *(
                power * covariance[j][i] * table[lowered(lower, i)]
                for i, power in enumerate(lower)
                if power
            ),
        )
    return table


def _averaged(weights: Vector, tables: list[dict[Exponent, Expr]]) -> dict[Exponent, Expr]:
    averages = {
        a: sympy.Add(*(w * table[a] for w, table in zip(weights, tables, strict=True)))
        for a in tables[0]
    }
    # The weights sum to one, which sums of quotients do not show.
    return averages | {next(iter(averages)): sympy.Integer(1)}
