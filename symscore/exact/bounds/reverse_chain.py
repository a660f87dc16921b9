r"""How far the exponential integrator's draws are from a mixture: a divergence in closed form.

Levels :math:`\alpha_0 < \dots < \alpha_L \le 1`, forward process :math:`x_l = \alpha_l x_0 +
(1 - \alpha_l^2)^{1/2} z` (jointly the Ornstein-Uhlenbeck process), q_l the law of x_l. With
:math:`\rho_l = \alpha_{l+1} / \alpha_l`, the sampler starts at :math:`y_0 \sim N(0, I)` and steps

.. math:: y_{l+1} = \rho_l y_l + 2 (\rho_l - 1) \hat s_l(y_l) + (\rho_l^2 - 1)^{1/2} z_l .

**Theorem.** With :math:`A_l = E |\hat s_l(x_l)|^2`,
:math:`B_l = E \operatorname{div} \hat s_l(x_l)` and h the differential entropy,

.. math:: K &= KL(x_0, \dots, x_L \,\|\, y_0, \dots, y_L) \\
    &= -h(q_L) + \frac d2 \log 2\pi + d \log \frac{\alpha_L}{\alpha_0} + \frac12 E |x_0|^2
    + \sum_{l < L} 2 (1 - \rho_l^{-1}) B_l + 2 \, \frac{\rho_l - 1}{\rho_l + 1} A_l

(x_0 here the noisiest level), and so

.. math:: TV(q_L, \text{law of } y_L) \le \min\big( (K / 2)^{1/2}, (1 - e^{-K})^{1/2} \big) .

*Proof* (own derivation). Both are Markov chains with densities. Backwards in l the forward process
has the kernels :math:`x_l = \rho_l^{-1} x_{l+1} + (1 - \rho_l^{-2})^{1/2} z`, z standard normal and
independent of x_{l+1}, of entropy :math:`\frac d2 \log 2 \pi e (1 - \rho_l^{-2})`; so the mean
logarithm of its density is :math:`-h(q_L)` minus these. In the sampler's density stands
:math:`x_{l+1} - \rho_l x_l - 2 (\rho_l - 1) \hat s_l(x_l) =
-(\rho_l^2 - 1)^{1/2} z - 2 (\rho_l - 1) \hat s_l(x_l)`; Stein's identity for z is
:math:`E[z \cdot \hat s_l(x_l)] = (1 - \rho_l^{-2})^{1/2} B_l`, so half of its mean square over
:math:`\rho_l^2 - 1` is :math:`\frac d2` plus the l-th term of the sum. Add up, with
:math:`\log \frac{\rho^2 - 1}{1 - \rho^{-2}} = 2 \log \rho`. Divergences do not grow under
projection to the last level; then Pinsker's, or Bretagnolle and Huber's, inequality. QED

Nothing depends on Girsanov's theorem or on the sampler's continuous time. Against Girsanov's bound
:math:`KL(q_0 \| N(0, I)) + \int E |\hat s_{l}(x_{l}) - s_t(x_t)|^2 dt`, whose integrals are
:math:`\log \rho_l \, A_l + 2 (1 - \rho_l^{-1}) B_l + \int J_t \, dt`, it is smaller by
:math:`(\log \rho_l - 2 \tanh(\tfrac12 \log \rho_l)) A_l` per step, which is what looking at the
sampler at its levels only is worth. All is rational but logarithms and :math:`h(q_L)`.

Stopping early costs :math:`TV(M, q_L) \le \sum_i w_i TV(N_i, N_i^{(L)})`, where the stopped law
is q_L itself, or that of :math:`x_L / \alpha_L` if the sampler divides its draws by alpha_L, as
ours does.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from flint import arb, fmpq, fmpq_mat

from symscore.exact.arithmetic.balls import as_fmpq, ball_of
from symscore.exact.arithmetic.moments import exponents, moments
from symscore.exact.arithmetic.polynomial import (
    PolynomialField,
    expectation,
    field_degree,
    partial,
    product,
)
from symscore.exact.arithmetic.rational import RationalMixture, entries


def stepped_part(
    mixture: RationalMixture, alphas: Sequence[Fraction], fields: Sequence[PolynomialField]
) -> fmpq:
    r"""Return what is rational in K: :math:`\frac12 E|x_0|^2` and the sum over the steps.

    Parameters
    ----------
    mixture : RationalMixture
        The law that is to be sampled.
    alphas : (L + 1,) sequence of Fraction
        Increasing.
    fields : (L,) sequence of PolynomialField
        The field used at each level but the last.
    """
    total = mean_square(mixture.at(alphas[0])) / 2
    for (alpha, following), field in zip(pairwise(alphas), fields, strict=True):
        square, divergence = _energies(mixture.at(alpha), field)
        rho = as_fmpq(following / alpha)
        total += 2 * (1 - 1 / rho) * divergence + 2 * (rho - 1) / (rho + 1) * square
    return total


def mean_square(mixture: RationalMixture) -> fmpq:
    r"""Return ``E|x|^2``."""
    table = moments(mixture, 2)
    return sum((table[a] for a in exponents(mixture.dim, 2) if max(a) == 2), fmpq(0))


def logarithms(dim: int, alphas: Sequence[Fraction]) -> arb:
    r"""Return :math:`\frac d2 \log 2\pi + d \log(\alpha_L / \alpha_0)`."""
    return dim * ((2 * arb.pi()).log() / 2 + ball_of(alphas[-1] / alphas[0]).log())


def stopping_distance(mixture: RationalMixture, alpha: Fraction, rescaled: bool) -> arb:
    r"""Return an upper bound on the distance of M and the stopped law, a ball.

    .. math:: \sum_i w_i \, \mathrm{tv}(KL_i), \qquad
        KL_i = KL(N(m_i, C_i) \| N(m_i, C_i + (\alpha^{-2} - 1) I))

    or, if not rescaled, :math:`KL(N(m_i, C_i) \| N(\alpha m_i, \alpha^2 C_i + (1 - \alpha^2) I))`,
    with tv as in :func:`distance_above`.
    """
    if alpha == 1:
        return arb(0)
    stopped = mixture.at(alpha)
    scale = as_fmpq(1 / alpha) if rescaled else fmpq(1)
    total = arb(0)
    for i, weight in enumerate(mixture.weights):
        covariance = stopped.covariance(i) * (scale * scale)
        shift = stopped.mean(i) * scale - mixture.mean(i)
        trace = covariance.solve(mixture.covariance(i))
        (square,) = entries(shift.transpose() * covariance.solve(shift))
        rational = sum((trace[j, j] for j in range(mixture.dim)), square - mixture.dim)
        grown = ball_of(covariance.det() / mixture.covariance(i).det()).log()
        total += ball_of(weight) * distance_above((ball_of(rational) + grown) / 2)
    return total


def distance_above(divergence: arb) -> arb:
    r"""Return :math:`\min((K / 2)^{1/2}, (1 - e^{-K})^{1/2})` at the upper end of K's ball."""
    above = arb.max(divergence.upper(), arb(0))
    return arb.min((above / 2).sqrt(), (-(-above).expm1()).sqrt())


def initial_divergence(noisy: RationalMixture) -> arb:
    r"""Return an upper bound on :math:`KL(q \| N(0, I))`: the smaller of two.

    One is the mean of the components' divergences, the other :math:`\log E_q[q / N(0, I)]`
    (Jensen), where :math:`C_i^{-1} + C_j^{-1} - I` is positive definite for all i, j.
    """
    convex, count = arb(0), noisy.n_components
    for i, weight in enumerate(noisy.weights):
        covariance, mean = noisy.covariance(i), noisy.mean(i)
        trace = sum((covariance[j, j] for j in range(noisy.dim)), fmpq(-noisy.dim))
        (square,) = entries(mean.transpose() * mean)
        half = ball_of(trace + square) - ball_of(covariance.det()).log()
        convex += ball_of(weight) * half / 2
    ratios = [[_mean_ratio(noisy, i, j) for j in range(count)] for i in range(count)]
    mean_ratio = arb(0)
    for weight, row in zip(noisy.weights, ratios, strict=True):
        for other, ratio in zip(noisy.weights, row, strict=True):
            if ratio is None:
                return convex
            mean_ratio += ball_of(weight * other) * ratio
    return arb.min(convex, mean_ratio.log())


def _mean_ratio(noisy: RationalMixture, i: int, j: int) -> arb | None:
    r"""Return :math:`\int N_i N_j / N(0, I)`, None where it is infinite.

    .. math:: \left( \frac{\det P_i \det P_j}{\det S} \right)^{1/2}
        e^{(b^T S^{-1} b - m_i^T P_i m_i - m_j^T P_j m_j) / 2}, \qquad
        S = P_i + P_j - I, \quad b = P_i m_i + P_j m_j
    """
    first, second = noisy.precision(i), noisy.precision(j)
    both = first + second
    for k in range(noisy.dim):
        both[k, k] -= 1
    if not _positive_definite(both):
        return None
    pull = first * noisy.mean(i) + second * noisy.mean(j)
    (exponent,) = entries(
        pull.transpose() * both.solve(pull)
        - noisy.mean(i).transpose() * first * noisy.mean(i)
        - noisy.mean(j).transpose() * second * noisy.mean(j)
    )
    scale = ball_of(first.det() * second.det() / both.det()).sqrt()
    return scale * (ball_of(exponent) / 2).exp()


def _positive_definite(matrix: fmpq_mat) -> bool:
    """Whether all leading minors are positive (Sylvester)."""
    rows = matrix.tolist()
    return all(
        fmpq_mat([row[:size] for row in rows[:size]]).det() > 0 for size in range(1, len(rows) + 1)
    )


def _energies(noisy: RationalMixture, field: PolynomialField) -> tuple[fmpq, fmpq]:
    """Return ``E|s|^2`` and ``E div s`` of a polynomial field s."""
    field = tuple({a: value for a, value in p.items() if value != 0} for p in field)
    table = moments(noisy, 2 * field_degree(field))
    square = sum((expectation(product(p, p), table) for p in field), fmpq(0))
    divergence = sum((expectation(partial(p, j), table) for j, p in enumerate(field)), fmpq(0))
    return square, divergence
