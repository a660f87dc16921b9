"""Section 3 of paper A, equations (5) and (7): the reverse diffusion and the denoising loss."""

from collections.abc import Mapping
from math import comb

import sympy
from flint import acb, arb, fmpq
from sympy import Expr, Matrix, Symbol, symbols

from symscore.exact import ExactMixture, fisher_information, is_identity
from symscore.exact.arithmetic.balls import as_fraction, ball_of, precision
from symscore.exact.arithmetic.moments import gaussian_moments
from symscore.exact.arithmetic.quadrature import integral, tail_square
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.matrices import adjugate_and_determinant
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require

SIGNAL, NOISE = fmpq(3, 5), fmpq(4, 5)
# Weight, mean and variance of two components on the line.
PAIR = ((fmpq(1, 3), fmpq(-1), fmpq(1)), (fmpq(2, 3), fmpq(1), fmpq(1, 2)))
# Beyond it lies next to nothing.
END = fmpq(14)


@entry(
    "A.Eq5",
    title="The reverse diffusion",
    page="21",
    statement=r"$dx = (x + 2 \nabla \ln q_{T - t}(x)) \, dt + \sqrt2 \, dw$ started at $q_T$ has "
    r"the law $q_{T - t}$ at time t.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("A.Eq1",),
    uses=("the Fokker-Planck equation determines the laws",),
)
def reverse_diffusion(effort: Effort) -> str:
    """Decide the forward equation for a component, and that the drift turns its sign for all."""
    dim = effort.pick(2, 3)
    _check_component(dim)
    # Values of a positive density q, of its gradient and second derivatives, at a point x.
    q = Symbol("q", positive=True)
    x, first, second = (Matrix(symbols(f"{name}0:{dim}")) for name in "xfg")
    score, laplacian = first / q, sympy.Add(*second)
    divergence = sympy.Add(*(g / q - (f / q) ** 2 for f, g in zip(first, second, strict=True)))
    forward = dim * q + x.dot(first) + laplacian
    backward = -(dim + 2 * divergence) * q - (x + 2 * score).dot(first) + laplacian
    require(is_identity(backward, -forward), "the reversed equation", backward)
    change = dim + x.dot(score) + divergence + score.dot(score)
    require(is_identity(forward / q, change), "the change of log q", change)
    return f"every positive density in dimension {dim}, and every normal component's equation"


def _check_component(dim: int) -> None:
    """Check d/dt log N = d + x.g + div g + |g|^2, g the score of a N(m, Q) at a = e^-t."""
    a = Symbol("a", positive=True)
    z, m = Matrix(symbols(f"z0:{dim}")), Matrix(symbols(f"m0:{dim}"))
    # Full in the plane, diagonal beyond.
    full = Matrix(dim, dim, lambda i, j: Symbol(f"c{min(i, j)}{max(i, j)}"))
    clean = full if dim == 2 else sympy.diag(*(full[i, i] for i in range(dim)))
    spread = a**2 * clean + (1 - a**2) * sympy.eye(dim)
    adjugate, determinant = adjugate_and_determinant(spread)
    inverse, offset = adjugate / determinant, z - a * m
    score = -inverse * offset
    form = -(offset.T * inverse * offset)[0, 0] / 2
    change = a * sympy.diff(determinant, a) / (2 * determinant) - a * sympy.diff(form, a)
    claimed = dim + z.dot(score) - inverse.trace() + score.dot(score)
    require(is_identity(change, claimed), "the forward equation of a component", dim)


def _expected(power: int, moments: Mapping[int, Expr], noise: Symbol, extra: int) -> Expr:
    """Return E (u + b z)^n z^k for u with given moments and an independent standard normal z."""
    normal = {2 * i: sympy.factorial2(2 * i - 1) for i in range(power + extra + 1)}
    return sympy.Add(
        *(
            comb(power, j) * moments[power - j] * noise**j * normal.get(j + extra, 0)
            for j in range(power + 1)
        )
    )


@entry(
    "A.Eq7",
    title="Denoising learns the score",
    page="22, 59",
    statement=r"Minimising $E \Vert g - \nabla \log q_t \Vert^2$ is minimising "
    r"$E \Vert g(x_t) + z / \sqrt{1 - e^{-2t}} \Vert^2$: the second is larger by "
    r"$d / (1 - e^{-2t}) - E \Vert \nabla \log q_t \Vert^2$, whatever g is.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("A.Eq1",),
    uses=("integration by parts: $E \\, g \\cdot \\nabla \\log q = -E \\operatorname{div} g$",),
)
def denoising(effort: Effort) -> str:
    """Decide Stein's identity for all laws and powers, and enclose both sides for a field."""
    most, b = effort.pick(6, 10), Symbol("b")
    moments: dict[int, Expr] = {n: Symbol(f"u{n}") for n in range(most + 1)}
    for n in range(1, most + 1):
        # E g z / b = E g' for g = x^n, u = a x_0 of any law.
        cross = sympy.expand(_expected(n, moments, b, 1) / b)
        require(
            bool(cross == sympy.expand(n * _expected(n - 1, moments, b, 0))), "E g z / b = E g'", n
        )
    law = RationalMixture.of(
        ExactMixture(
            tuple(str(w) for w, _, _ in PAIR),
            tuple((str(m),) for _, m, _ in PAIR),
            tuple(((str(v),),) for _, _, v in PAIR),
        )
    )
    known = fisher_information(law.at(as_fraction(SIGNAL)), digits=12)
    shown = []
    for slope, shift in ((fmpq(-1), fmpq(0)), (fmpq(-1, 2), fmpq(1, 3)))[: effort.pick(1, 2)]:
        loss = _loss(slope, shift)
        with precision(64):
            distance = _distance(slope, shift)
            found, constant = ball_of(loss) - distance, ball_of(1 / NOISE**2)
            low, high = constant - ball_of(known.upper), constant - ball_of(known.lower)
            same = found > low - 1e-9 and found < high + 1e-9 and found.rad() < 1e-9
            require(same, "a difference of 1 / b^2 - J", (found, low))
            shown.append(f"{float(loss):.6f} - {float(distance):.6f} = {float(found):.6f}")
    return f"powers up to {most}, any law; on the line {'; '.join(shown)} = 1 / b^2 - J"


def _loss(slope: fmpq, shift: fmpq) -> fmpq:
    """Return E (slope x_t + shift + z / b)^2, by the joint moments of x_t and z."""
    total = fmpq(0)
    for w, m, v in PAIR:
        spread = ((SIGNAL**2 * v + NOISE**2, NOISE), (NOISE, fmpq(1)))
        table = gaussian_moments((SIGNAL * m, fmpq(0)), spread, 2)
        square = slope**2 * table[(2, 0)] + shift**2 + table[(0, 2)] / NOISE**2
        mixed = slope * shift * table[(1, 0)] + slope * table[(1, 1)] / NOISE
        total += w * (square + 2 * mixed)
    return total


def _distance(slope: fmpq, shift: fmpq) -> arb:
    """Return E (slope x + shift - s(x))^2 under the noised law, by quadrature."""
    noised = [(w, SIGNAL * m, SIGNAL**2 * v + NOISE**2) for w, m, v in PAIR]

    def integrand(x: acb) -> acb:
        density, pull = acb(0), acb(0)
        for w, m, v in noised:
            part = ball_of(w) * (-((x - m) ** 2) / (2 * v)).exp() / (2 * arb.pi() * v).sqrt()
            density, pull = density + part, pull - part * (x - m) / v
        rest = (slope * x + shift) * density - pull
        return rest * rest / density

    inside = integral(integrand, [-END, fmpq(-1), fmpq(0), fmpq(1), END])
    # Outside |slope x + shift - s| <= 4 |x| <= 8 |x - m|, as variances exceed 1/2 and |m| < 1.
    outside = sum((ball_of(w) * tail_square(v, END - 1) for w, _, v in noised), arb(0)) * 64
    return inside + arb(0, outside.abs_upper())
