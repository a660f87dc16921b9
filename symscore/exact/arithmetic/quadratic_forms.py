r"""Quadratic forms in Gaussian vectors: exact moments, explicit tails, and leading subspaces."""

from itertools import product

from flint import arb, arb_poly, fmpq, fmpq_mat, fmpq_poly

from symscore.errors import NotCertified
from symscore.exact.arithmetic.moments import gaussian_moments
from symscore.exact.arithmetic.rational import Row, column, trace


def is_semidefinite(matrix: fmpq_mat) -> bool:
    r"""Return whether a symmetric matrix has no negative eigenvalue.

    All roots of :math:`\det(t I - A)` being real, none is negative if and only if its coefficients
    do not change sign out of turn: :math:`(-1)^{n - i} c_i \ge 0`.

    Examples
    --------
    >>> is_semidefinite(fmpq_mat([[1, 1], [1, 1]])), is_semidefinite(fmpq_mat([[1, 2], [2, 1]]))
    (True, False)
    """
    if matrix != matrix.transpose():
        return False
    size = matrix.nrows()
    return all((-1) ** (size - i) * c >= 0 for i, c in enumerate(matrix.charpoly().coeffs()))


def scaled_identity(size: int, value: fmpq) -> fmpq_mat:
    """Return value times the identity of a size.

    Examples
    --------
    >>> scaled_identity(2, fmpq(3)).det()
    9
    """
    return fmpq_mat([[value if i == j else 0 for j in range(size)] for i in range(size)])


def form_variance(form: fmpq_mat, mean: Row, covariance: fmpq_mat) -> fmpq:
    r"""Return the variance of :math:`x^T A x` for :math:`x \sim N(m, Q)` and any A.

    .. math:: 2 \operatorname{tr} (S Q)^2 + 4 m^T S Q S m, \qquad S = (A + A^T) / 2

    Examples
    --------
    >>> form_variance(fmpq_mat([[1]]), (fmpq(0),), fmpq_mat([[3]]))
    18
    """
    symmetric, centre = (form + form.transpose()) / 2, column(mean)
    turned = symmetric * covariance
    pulled = (centre.transpose() * turned * symmetric * centre)[0, 0]
    return 2 * trace(turned * turned) + 4 * pulled


def flattened_moment(mean: Row, covariance: fmpq_mat) -> fmpq_mat:
    r"""Return :math:`E \operatorname{vec}(x x^T) \operatorname{vec}(x x^T)^T`, (d^2, d^2).

    Examples
    --------
    >>> flattened_moment((fmpq(0),), fmpq_mat([[1]]))
    [3]
    """
    rows = tuple(tuple(row) for row in covariance.tolist())
    table = gaussian_moments(mean, rows, 4)
    size = range(len(mean))
    pairs = list(product(size, repeat=2))
    return fmpq_mat([[table[tuple((*a, *b).count(i) for i in size)] for b in pairs] for a in pairs])


def projection_defect(matrix: fmpq_mat, vector: Row, count: int) -> arb:
    r"""Return the squared distance of v from the leading eigenvectors of a symmetric matrix.

    .. math:: \|v - \Pi v\|^2 = \sum_{\lambda < \lambda_k}
        \operatorname{Res}_{t = \lambda} \, v^T (t I - A)^{-1} v,

    with :math:`\Pi` the projector on the eigenspaces of the `count` largest eigenvalues. The
    resolvent's numerator is exact, and in lowest terms its poles are simple.

    Raises
    ------
    NotCertified
        If the present precision does not tell the eigenvalues k and k + 1 apart.

    Examples
    --------
    >>> matrix = fmpq_mat([[3, 0, 0], [0, 2, 0], [0, 0, 1]])
    >>> projection_defect(matrix, (fmpq(1), fmpq(2), fmpq(3)), 2)
    [9.0000000000000 +/- ...]
    """
    whole = matrix.charpoly()
    numerator = _resolvent(matrix, vector, whole)
    common = numerator.gcd(whole)
    numerator, denominator = numerator // common, whole // common
    values = [root for root, times in _real_roots(whole) for _ in range(times)]
    if count >= len(values):
        return arb(0)
    kept, left = values[count - 1], values[count]
    if not kept > left:
        raise NotCertified(f"Expected a gap after {count} eigenvalues; got {kept} and {left}.")
    height, slope, total = arb_poly(numerator), arb_poly(denominator.derivative()), arb(0)
    for root, _ in _real_roots(denominator):
        if root < kept:
            total += height(root) / slope(root)
    return total


def normal_tail(t: arb) -> arb:
    """Return ``P(Z > t)`` for Z standard normal.

    Examples
    --------
    >>> normal_tail(arb(0))
    0.500000000000000
    """
    return (t / arb(2).sqrt()).erfc() / 2


def square_tail(mean: arb, deviation: arb, level: arb) -> arb:
    """Return ``P((mean + deviation z)^2 > level)`` for z standard normal and level >= 0.

    Examples
    --------
    >>> square_tail(arb(0), arb(1), arb(0))
    1.00000000000000
    """
    root = level.sqrt()
    return normal_tail((root - mean) / deviation) + normal_tail((root + mean) / deviation)


def chi_square_tail(freedom: int, level: arb) -> arb:
    r"""Return :math:`P(\chi^2_n > t)` for an even n, :math:`e^{-t/2} \sum_{j < n/2} (t/2)^j / j!`.

    Examples
    --------
    >>> chi_square_tail(2, arb(0))
    1.00000000000000
    """
    total, term = arb(0), arb(1)
    for j in range(freedom // 2):
        total, term = total + term, term * level / (2 * (j + 1))
    return total * (-level / 2).exp()


def form_deviation(frobenius: arb, operator: arb, x: arb) -> arb:
    r"""Return what :math:`z^T B z - \operatorname{tr} B` exceeds with probability at most e^-x.

    .. math:: 2 \|B\|_F \sqrt{x} + 2 \|B\|_{op} \, x, \qquad z \sim N(0, I),

    for symmetric B and either sign. *Proof.* With b the eigenvalues,
    :math:`\log E e^{s (z^T B z - \operatorname{tr} B)} = \sum_i \frac12 (-\log(1 - u_i) - u_i)`,
    :math:`u_i = 2 s b_i`, where a term is at most :math:`u^2 / (4 (1 - u))` for u >= 0 and
    :math:`u^2 / 4` for u < 0. So the sum is at most
    :math:`s^2 \|B\|_F^2 / (1 - 2 s \|B\|_{op})`, and with
    :math:`s = \sqrt x / (\|B\|_F + 2 \|B\|_{op} \sqrt x)` Markov's inequality gives e^-x. QED

    Examples
    --------
    >>> form_deviation(arb(1), arb(1), arb(4))
    12.0000000000000
    """
    return 2 * frobenius * x.sqrt() + 2 * operator * x


def form_exponent(frobenius: arb, operator: arb, deviation: arb) -> arb:
    r"""Return the x whose :func:`form_deviation` is a given number.

    Examples
    --------
    >>> form_exponent(arb(1), arb(1), arb(12))
    4.00000000000000
    """
    root = (frobenius**2 + 2 * operator * deviation).sqrt() - frobenius
    return (root / (2 * operator)) ** 2


def _resolvent(matrix: fmpq_mat, vector: Row, whole: fmpq_poly) -> fmpq_poly:
    """Return the numerator of ``v^T (t I - A)^-1 v`` over the characteristic polynomial."""
    size, power, start = matrix.nrows(), column(vector), column(vector)
    chain = []
    for _ in range(size):
        chain.append((start.transpose() * power)[0, 0])
        power = matrix * power
    coefs = whole.coeffs()
    return fmpq_poly(
        [
            sum((coefs[m] * chain[m - 1 - i] for m in range(i + 1, size + 1)), fmpq(0))
            for i in range(size)
        ]
    )


def _real_roots(polynomial: fmpq_poly) -> list[tuple[arb, int]]:
    """Return the roots of a polynomial that has real ones only, the largest first."""
    found = [(root.real, times) for root, times in polynomial.complex_roots()]
    return sorted(found, key=lambda pair: float(pair[0]), reverse=True)
