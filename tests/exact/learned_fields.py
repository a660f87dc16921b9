"""Learned denoisers over the rationals, and their formula once more in mpmath."""

from fractions import Fraction

import numpy as np
from flint import arb, fmpq
from mpmath import mp, mpf

from symscore.exact.arithmetic.moments import exponents
from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell, LearnedField

DIGITS = 60


def q(value: float | Fraction | int) -> fmpq:
    fraction = Fraction(value)
    return fmpq(fraction.numerator, fraction.denominator)


def bump(
    kappa: fmpq, whiten: fmpq, coefficients: list[fmpq], rate: Fraction = Fraction(1, 9)
) -> LearnedField:
    """One cell on the line, centred at 0."""
    deviation = {(power,): value for power, value in enumerate(coefficients)}
    cell = LearnedCell(fmpq(1), (fmpq(0),), ((whiten,),), (deviation,))
    return LearnedField(kappa, (LearnedBlock(fmpq(1), q(rate), (cell,)),))


def random_field(
    dim: int,
    seed: int,
    *,
    cells: int = 3,
    degree: int = 2,
    amplitude: float = 0.1,
    kappa: float = 2.0,
    rates: tuple[float, ...] = (1 / 8,),
) -> LearnedField:
    """Blocks of cells with means of sd 1.5 and V >= 1, rounded to short binary fractions."""
    rng = np.random.default_rng(seed)

    def short(values: np.ndarray) -> list[fmpq]:
        return [q(round(float(value) * 2**12) / 2**12) for value in np.ravel(values)]

    blocks = []
    for rate in rates:
        members = []
        for _ in range(cells):
            root = np.tril(rng.normal(scale=0.3, size=(dim, dim)), -1)
            root += np.diag(rng.uniform(0.4, 0.95, dim))
            root /= max(1.0, 1.01 * float(np.linalg.norm(root, 2)))
            flat = short(root)
            members.append(
                LearnedCell(
                    short(rng.uniform(0.2, 1.0, 1))[0],
                    tuple(short(rng.normal(scale=1.5, size=dim))),
                    tuple(tuple(flat[dim * i : dim * i + dim]) for i in range(dim)),
                    tuple(
                        dict(
                            zip(
                                powers := exponents(dim, degree),
                                short(amplitude * rng.normal(size=len(powers))),
                                strict=True,
                            )
                        )
                        for _ in range(dim)
                    ),
                )
            )
        blocks.append(LearnedBlock(q(1 / len(rates)), q(rate), tuple(members)))
    return LearnedField(q(kappa), tuple(blocks))


def number(value: fmpq) -> mpf:
    return mpf(int(value.p)) / mpf(int(value.q))


def denoiser(field: LearnedField, y: list[mpf]) -> list[mpf]:
    """The formula of the class, term for term; to be called with `DIGITS` digits."""
    d, kappa = field.dim, number(field.kappa)
    total = [mpf(0)] * d
    for block in field.blocks:
        heights, locals_ = [], []
        for cell in block.cells:
            whiten = mp.matrix([[number(value) for value in row] for row in cell.whiten])
            off = mp.matrix([y[i] - kappa * number(cell.mean[i]) for i in range(d)])
            u = whiten * off
            squares = sum(value**2 for value in u)
            heights.append(number(cell.weight) * abs(mp.det(whiten)) * mp.exp(-squares / 2))
            own = (mp.matrix(y) - whiten.T * whiten * off) / kappa
            damping = mp.exp(-number(block.rate) * squares / 2)
            locals_.append(
                [
                    own[i]
                    + damping
                    * sum(
                        number(value) * mp.fprod(u[k] ** a[k] for k in range(d))
                        for a, value in cell.deviation[i].items()
                    )
                    for i in range(d)
                ]
            )
        norm = sum(heights)
        for height, local in zip(heights, locals_, strict=True):
            total = [
                t + number(block.share) * height / norm * f
                for t, f in zip(total, local, strict=True)
            ]
    return total


def slope(field: LearnedField, y: np.ndarray) -> list[list[mpf]]:
    """D' by central differences of :func:`denoiser`: right to about 30 digits."""
    d, step = field.dim, mpf(10) ** -20
    with mp.workdps(DIGITS):
        columns = []
        for k in range(d):
            ends = [
                denoiser(field, [mpf(float(v)) + sign * step * (i == k) for i, v in enumerate(y)])
                for sign in (1, -1)
            ]
            columns.append([(a - b) / (2 * step) for a, b in zip(*ends, strict=True)])
        return [[columns[k][i] for k in range(d)] for i in range(d)]


def smallest(matrix: list[list[mpf]]) -> float:
    symmetric = np.array([[float(value) for value in row] for row in matrix])
    return float(np.linalg.eigvalsh((symmetric + symmetric.T) / 2)[0])


def near(ball: arb, value: mpf) -> bool:
    """Whether a ball holds a number that was computed to about 30 digits."""
    text = mp.nstr(value, 40)
    return bool(ball.overlaps(arb(text) + arb(0, 1e-25) * (1 + abs(arb(text)))))
