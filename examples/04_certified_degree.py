"""The degree that a score needs, certified, and how near fits of that degree to draws come.

For a mixture of two Gaussians the smallest degree that reaches a root mean square error is found,
and each certificate is written, read again and confirmed by a second method. Then polynomials of
that degree are fitted to draws by score matching. Their errors are integrals over the true law,
certified as well: the more draws, the nearer they come to the best polynomial, and none is better.
"""

from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np

from symscore.exact import (
    Certificate,
    ExactMixture,
    check,
    plan,
    polynomial_error,
    projection_error,
)

RMS = "0.1"
MIXTURE = ExactMixture(["1/4", "3/4"], [-1, 1], [1, 1])


def sampled(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws (n,) of the mixture."""
    return rng.normal(rng.choice([-1.0, 1.0], p=[0.25, 0.75], size=n))


def fitted(draws: np.ndarray, degree: int) -> dict[tuple[int], Fraction]:
    """Minimise the mean of q(x)^2 + 2 q'(x) over polynomials q of a degree."""
    powers = np.vander(draws, degree + 1, increasing=True)
    slopes = powers[:, :-1].mean(axis=0) * np.arange(1, degree + 1)
    coef = np.linalg.solve(powers.T @ powers / draws.size, -np.append(0.0, slopes))
    return {(j,): Fraction(value) for j, value in enumerate(coef.tolist())}


def main() -> None:
    """Plan, check, fit and certify."""
    found = plan(MIXTURE, RMS, alphas=["15/17", 1], cells=1)
    print(found.table(), end="\n\n")
    for i, made in enumerate(found.certificates()):
        path = Path(f"certificate-{i}.json")
        made.save(path)
        read = Certificate.load(path)
        print(f"{path}: {read}\n    confirmed: {check(read).method}")

    degree = found.rows[-1].needs.one.degree
    best = projection_error(MIXTURE, degree)
    print(f"\nbest polynomial of degree {degree}: rms {sqrt(best):.4f}, certified")
    rng = np.random.default_rng(0)
    for n in (1_000, 10_000, 100_000):
        error = polynomial_error(MIXTURE, [fitted(sampled(n, rng), degree)])
        assert error.upper > best.lower
        print(f"fitted to {n:6d} draws: rms {sqrt(error):.4f}, certified")


if __name__ == "__main__":
    main()
