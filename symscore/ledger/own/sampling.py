"""A sampler's distance with every constant known, and the equations of all levels at once."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise, product
from math import comb, factorial

import sympy
from flint import arb, fmpq, fmpq_mat
from sympy import symbols

from symscore.exact import (
    ExactMixture,
    hermite_e,
    is_identity,
    project_score,
    project_score_all_levels,
    total_variation_bound,
)
from symscore.exact.arithmetic.balls import as_fmpq, ball_of, precision
from symscore.exact.arithmetic.moments import Exponent, exponents, gaussian_moments
from symscore.exact.arithmetic.rational import RationalMixture, trace
from symscore.exact.bounds.reverse_chain import logarithms, stepped_part
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require

CHAINS = (
    # Mean and variance of the target, alphas, and the estimates' slopes and shifts.
    ("2", "1/4", ("1/9", "1/3", "2/3", "9/10"), (("-1", "0"), ("-4/5", "1/2"), ("-1", "1"))),
    ("-1/2", "3", ("1/5", "1/2", "1"), (("-1/3", "1"), ("-1/2", "-1"))),
)


@entry(
    "own.SamplerBound",
    title="A distance of the sampler without unknown constants",
    statement=r"For the steps $y_{l+1} = \rho_l y_l + 2 (\rho_l - 1) \hat s_l(y_l) + "
    r"(\rho_l^2 - 1)^{1/2} z_l$ from $N(0, I)$ the divergence of the forward chain is "
    r"$K = -h(q_L) + \frac d2 \log 2 \pi + d \log \frac{\alpha_L}{\alpha_0} + \frac12 E |x_0|^2 + "
    r"\sum_l 2 (1 - \rho_l^{-1}) E \operatorname{div} \hat s_l + 2 \frac{\rho_l - 1}{\rho_l + 1} "
    r"E |\hat s_l|^2$, and $TV(q_L, y_L) \le \min((K / 2)^{1/2}, (1 - e^{-K})^{1/2})$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(
        "the data processing inequality",
        "the inequalities of Pinsker and of Bretagnolle and Huber",
        "Stein's identity",
    ),
    proof="proof-sampler-bound",
)
def sampler_bound(effort: Effort) -> str:
    """Decide the steps' algebra; compare K with the divergence of joint normal laws, exactly."""
    rho, noise, energy, divergence = symbols("rho noise energy divergence", positive=True)
    root, inner = sympy.sqrt(rho**2 - 1), sympy.sqrt(1 - rho**-2)
    # E |root z + 2 (rho - 1) s|^2, E |z|^2 = noise, E z . s = inner divergence, E |s|^2 = energy.
    square = (
        root**2 * noise + 4 * (rho - 1) * root * inner * divergence + 4 * (rho - 1) ** 2 * energy
    )
    found = noise / 2 + 2 * (1 - 1 / rho) * divergence + 2 * (rho - 1) / (rho + 1) * energy
    at = [{rho: 1 + step} for step in (sympy.Rational(1, 3), symbols("step", positive=True))]
    for where in at:
        left = (square / (2 * (rho**2 - 1))).subs(where)
        require(is_identity(left, found.subs(where)), "the mean square of a step", where)
    require(is_identity((rho**2 - 1) / (1 - rho**-2), rho**2), "the logarithms of a step")
    shares = []
    for mean, variance, alphas, affine in CHAINS:
        shares.append(_compare_chain(mean, variance, tuple(map(Fraction, alphas)), affine))
    shown = ", ".join(f"{float(share):.3g}" for share in shares)
    if effort.quick:
        return f"K equals the joint divergence of 2 normal chains; last laws' share of K: {shown}"
    pair = ExactMixture(("1/2", "1/2"), ((-1,), (1,)), (((1,),),) * 2)
    levels = [Fraction(1, 8) + Fraction(7 * n, 8 * 40) for n in range(41)]
    fields = [[dict(_cubic(pair, alpha))] for alpha in levels[:-1]]
    bound = total_variation_bound(pair, levels, fields)
    require(bound.upper < Fraction(1, 2), "a distance below 1/2", bound.upper)
    return (
        f"K equals the joint divergence of 2 normal chains; last laws' share of K: {shown}; "
        f"TV <= {float(bound.upper):.3f} for a pair, 40 levels of degree 3"
    )


def _cubic(pair: ExactMixture, alpha: Fraction) -> Mapping[Exponent, fmpq]:
    (polynomial,) = project_score(pair.at(alpha), 3).field
    return polynomial


def _compare_chain(
    mean: str, variance: str, alphas: tuple[Fraction, ...], affine: tuple[tuple[str, str], ...]
) -> arb:
    """Require that K is the divergence of the chains' joint laws; return the last laws' share."""
    target = RationalMixture.of(ExactMixture((1,), ((mean,),), (((variance,),),)))
    lines = [(as_fmpq(Fraction(a)), as_fmpq(Fraction(c))) for a, c in affine]
    fields: list[tuple[Mapping[Exponent, fmpq], ...]] = [
        ({(1,): slope, (0,): shift},) for slope, shift in lines
    ]
    forward, sampler = _forward(target, alphas), _sampled(alphas, lines)
    stepped = stepped_part(target, alphas, fields)
    with precision(96):
        last = forward[1][len(alphas) - 1, len(alphas) - 1]
        entropy = (2 * arb.pi() * arb(1).exp() * ball_of(last)).log() / 2
        chain = ball_of(stepped) + logarithms(1, alphas) - entropy
        joint = _divergence(forward, sampler)
        require(chain.overlaps(joint) and (chain - joint).rad() < 1e-20, "equal", (chain, joint))
        ends = [
            (fmpq_mat([[m[len(alphas) - 1, 0]]]), fmpq_mat([[c[len(alphas) - 1, len(alphas) - 1]]]))
            for m, c in (forward, sampler)
        ]
        final = _divergence(*ends)
        require(final <= chain, "less divergence in the last law", (final, chain))
        return final / chain


def _forward(target: RationalMixture, alphas: tuple[Fraction, ...]) -> tuple[fmpq_mat, fmpq_mat]:
    """Return mean and covariance of the forward chain, jointly, from noise to data."""
    noisy = [target.at(alpha) for alpha in alphas]
    variances = [law.covariance(0)[0, 0] for law in noisy]
    n = len(alphas)

    def covariance(i: int, j: int) -> fmpq:
        low, high = min(i, j), max(i, j)
        return as_fmpq(alphas[low] / alphas[high]) * variances[high]

    means = fmpq_mat([[law.mean(0)[0, 0]] for law in noisy])
    return means, fmpq_mat([[covariance(i, j) for j in range(n)] for i in range(n)])


def _sampled(
    alphas: tuple[Fraction, ...], lines: list[tuple[fmpq, fmpq]]
) -> tuple[fmpq_mat, fmpq_mat]:
    """Return mean and covariance of the sampler's chain with affine estimates."""
    means, rows = [fmpq(0)], [[fmpq(1)]]
    for (alpha, following), (slope, shift) in zip(pairwise(alphas), lines, strict=True):
        rho = as_fmpq(following / alpha)
        factor = rho + 2 * (rho - 1) * slope
        means.append(factor * means[-1] + 2 * (rho - 1) * shift)
        new = [factor * value for value in rows[-1]]
        own = factor * new[-1] + rho * rho - 1
        for row, value in zip(rows, new, strict=True):
            row.append(value)
        rows.append([*new, own])
    return fmpq_mat([[m] for m in means]), fmpq_mat(rows)


def _divergence(law: tuple[fmpq_mat, fmpq_mat], other: tuple[fmpq_mat, fmpq_mat]) -> arb:
    """Return the divergence of two normal laws, each a mean and a covariance."""
    shift = law[0] - other[0]
    inverse = other[1].inv()
    rational = trace(inverse * law[1]) + (shift.transpose() * inverse * shift)[0, 0] - shift.nrows()
    return (ball_of(rational) + (ball_of(other[1].det()) / ball_of(law[1].det())).log()) / 2


@entry(
    "own.NormalEquations",
    title="One table of moments gives the equations of all levels",
    statement=r"With $\eta_k = E He_k(x_0)$ and $x = \alpha x_0 + (1 - \alpha^2)^{1/2} z$, "
    r"$E He_k He_l = \sum_r \prod_i \binom{k_i}{r_i} \binom{l_i}{r_i} r_i! \, \alpha^{|k+l-2r|} "
    r"\eta_{k+l-2r}$, $E He_k s_j = -k_j \alpha^{|k| - 1} \eta_{k - e_j}$, $E He_k (s + x)_j = "
    r"\alpha^{|k| + 1} \eta_{k + e_j}$; for gradients $E \nabla \psi \cdot \nabla He_l = |l| "
    r"\alpha^{|l|} \eta_l$ with $s = \nabla \psi - x$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    uses=("Stein's identity for the score of the noised law",),
    proof="proof-normal-equations",
)
def normal_equations(effort: Effort) -> str:
    """Decide the three identities of Hermite polynomials, and solve the equations both ways."""
    most = effort.pick(5, 8)
    _check_products(most)
    _check_noise(most)
    _check_generator(effort.pick(4, 6))
    mixture = ExactMixture(
        ("1/3", "2/3"), ((1, "1/2"), (-1, 0)), (((1, "1/4"), ("1/4", "1/2")), ((2, 0), (0, 1)))
    )
    levels = project_score_all_levels(mixture, 2)
    for alpha in effort.pick(("3/5",), ("1/3", "3/5", "12/13")):
        table, direct = levels.at(alpha), project_score(mixture.at(alpha), 2)
        require(table.field == direct.field, "the projection at a level", alpha)
    compared = _check_points(effort.pick(3, 5))
    return f"products and noise to degree {most}; {compared} equations of 4 points, 3 levels"


def _check_products(most: int) -> None:
    x = symbols("x")
    he = [sympy.Poly(hermite_e(k, x), x) for k in range(2 * most + 1)]
    for k, n in product(range(most + 1), repeat=2):
        terms = (
            he[k + n - 2 * r] * (comb(k, r) * comb(n, r) * factorial(r))
            for r in range(min(k, n) + 1)
        )
        require(he[k] * he[n] == sum(terms, sympy.Poly(0, x)), "a product", (k, n))
        require(he[k].diff(x) == k * he[max(k - 1, 0)], "a derivative", k)
        require(he[k] * sympy.Poly(x, x) - he[k].diff(x) == he[k + 1], "a raised index", k)


def _check_noise(most: int) -> None:
    """Decide that the mean over noise of He_k is alpha^k He_k: Mehler's identity."""
    x, z, alpha = symbols("x z alpha")
    for k in range(most + 1):
        h = sympy.Poly(hermite_e(k, alpha * x + z), z)
        mean = sympy.Add(
            *(
                h.coeff_monomial(z**j) * (1 - alpha**2) ** (j // 2) * sympy.factorial2(j - 1)
                for j in range(0, k + 1, 2)
            )
        )
        want = sympy.Poly(alpha**k * hermite_e(k, x), x, alpha)
        require(sympy.Poly(mean, x, alpha) == want, "the mean over noise", k)


def _check_generator(most: int) -> None:
    """Decide that ``Delta He_l - x . grad He_l = -|l| He_l`` in the plane."""
    x = symbols("x1:3")
    for index in exponents(2, most):
        he = sympy.Poly(hermite_e(index, x), *x)
        drift = he.diff(x[0]) * sympy.Poly(x[0], *x) + he.diff(x[1]) * sympy.Poly(x[1], *x)
        left = he.diff((x[0], 2)) + he.diff((x[1], 2)) - drift
        require(left == -sum(index) * he, "an eigenfunction", index)


def _check_points(most: int) -> int:
    """Compare the right-hand sides for four points with noise, from moments; return how many."""
    points = (fmpq(-2), fmpq(1, 3), fmpq(1), fmpq(5, 2))
    x, compared = symbols("x"), 0
    tables = [[_value(k, point) for k in range(most + 2)] for point in points]
    eta = [sum(column) / len(points) for column in zip(*tables, strict=True)]
    for alpha in (fmpq(1, 4), fmpq(3, 5), fmpq(9, 10)):
        laws = [
            gaussian_moments((alpha * point,), ((1 - alpha * alpha,),), 2 * most)
            for point in points
        ]
        for k in range(most + 1):
            slope = sympy.Poly(hermite_e(k, x), x).diff(x)
            total = sum(
                (fmpq(int(c.p), int(c.q)) * law[a] for law in laws for a, c in slope.terms()),
                fmpq(0),
            )
            want = -k * alpha ** (k - 1) * eta[max(k - 1, 0)] if k else fmpq(0)
            require(-total / len(points) == want, "the score's inner product", (alpha, k))
            compared += 1
    return compared


def _value(k: int, point: fmpq) -> fmpq:
    values = [fmpq(1), point]
    for n in range(1, k):
        values.append(point * values[n] - n * values[n - 1])
    return values[k]
