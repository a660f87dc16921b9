"""Balls of the functions that a :class:`symscore.exact.information.plane.Plane` is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from flint import arb

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.information.plane import Plane
from symscore.exact.information.statistic import Gap


@final
@dataclass(frozen=True, slots=True)
class Affine:
    """An affine map of the plane.

    Parameters
    ----------
    rows : tuple of (3,) tuples of arb
        (a, b, c) for every entry ``a x + b y + c`` of the image.
    stretch : arb
        The Frobenius norm of the linear part, which bounds its operator norm.
    """

    rows: tuple[tuple[arb, arb, arb], ...]
    stretch: arb

    @classmethod
    def of(cls, gap: Gap) -> "Affine":
        """Return a gap's map."""
        rows = tuple(
            (ball_of(a), ball_of(b), ball_of(c))
            for (a, b), c in zip(gap.slope, gap.offset, strict=True)
        )
        square = sum((a * a + b * b for a, b, _ in rows), arb(0))
        return cls(rows, square.nonnegative_part().sqrt())

    def norm(self, x: arb, y: arb) -> arb:
        """Return the length of the image of a point."""
        total = arb(0)
        for a, b, c in self.rows:
            value = a * x + b * y + c
            total += value * value
        return total.nonnegative_part().sqrt()


@final
@dataclass(frozen=True, slots=True)
class Peak:
    """One weighted component, ``factor exp(-(t - mean)^T A (t - mean) / 2)``.

    Parameters
    ----------
    mass, factor : arb
        Its weight, and its greatest value.
    mean : (2,) tuple of arb
    precision : (3,) tuple of arb
        A_11, A_12, A_22.
    root_det, steepest : arb
        The root of the determinant of A, and its greatest eigenvalue.
    """

    mass: arb
    factor: arb
    mean: tuple[arb, arb]
    precision: tuple[arb, arb, arb]
    root_det: arb
    steepest: arb

    @classmethod
    def all_of(cls, plane: Plane) -> "list[Peak]":
        """Return those of a plane's components, at flint's present precision."""
        law, peaks = plane.law, []
        for i, (x, y) in enumerate(law.means):
            (a, b), (_, c) = law.precision(i).tolist()
            root = ball_of(a * c - b * b).sqrt()
            mass = ball_of(law.weights[i])
            peaks.append(
                cls(
                    mass,
                    mass * root / (2 * arb.pi()),
                    (ball_of(x), ball_of(y)),
                    (ball_of(a), ball_of(b), ball_of(c)),
                    root,
                    ball_of((a + c) / 2) + ball_of(((a - c) / 2) ** 2 + b * b).sqrt(),
                )
            )
        return peaks

    def nearest(self, x: arb, y: arb, dx: arb, dy: arb) -> tuple[arb, float]:
        """Bound the distance from the mean to a box, in the norm of A, from below.

        By the triangle inequality it is at least that of the centre less the box's half diagonal.
        Also return about how much greater half the distance's square is at the centre.
        """
        a, b, c = self.precision
        u, v = x - self.mean[0], y - self.mean[1]
        away = (a * u * u + 2 * b * u * v + c * v * v).nonnegative_part().sqrt()
        size = (a * dx * dx + 2 * abs(b) * dx * dy + c * dy * dy).nonnegative_part().sqrt()
        near = (away - size).nonnegative_part()
        return near, float(away * away - near * near) / 2


def greatest(values: Sequence[arb]) -> arb:
    """Return a ball around the greatest of several numbers."""
    best = values[0]
    for value in values[1:]:
        best = best.max(value)
    return best
