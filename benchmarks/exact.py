"""How long certificates take, beside SymPy's own numerical integral of the same number.

    ./dev bench exact [--repeats 5] [--without-sympy] [--output FILE]

Every row is one certificate: its best time of several, the width reached, and the time of the
check by a second method. SymPy's `Integral.evalf(30)` of the first row's definition is not
rigorous; it runs once, in the same process.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import sympy

from symscore.exact import Certificate, ExactMixture, check, fisher_information, projection_error

EYE2 = [[int(i == j) for j in range(2)] for i in range(2)]
EYE3 = [[int(i == j) for j in range(3)] for i in range(3)]
LINE = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
PLANE = ExactMixture(["1/2", "1/3", "1/6"], [[1, 0], [-1, 1], [0, -2]], [EYE2] * 3)
UNEQUAL = ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"])
TILTED = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0], [-1, 1], [0, -2]],
    [EYE2, [["3/2", "1/2"], ["1/2", 1]], [["1/2", 0], [0, 2]]],
)
SPACE = ExactMixture(["1/4"] * 4, [[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2]], [EYE3] * 4)

# What is certified, how, and the seconds that were asked for; None where nothing was.
CASES: dict[str, tuple[Callable[[], Certificate], float | None]] = {
    "J, d = 1, k = 2, 30 digits": (lambda: fisher_information(LINE, 30), 0.1),
    "J, unequal variances, 30 digits": (lambda: fisher_information(UNEQUAL, 30), 0.1),
    "J, d = 2, k = 3, 13 digits": (lambda: fisher_information(PLANE, 13), 0.5),
    "J, d = 3, k = 4, 10 digits": (lambda: fisher_information(SPACE, 10), 10.0),
    "J, d = 2, unequal covariances, 6 digits": (lambda: fisher_information(TILTED, 6), None),
    "error of degree 41, d = 1, 30 digits": (lambda: projection_error(LINE, 41, 30), None),
    "error of degree 8, d = 2, 13 digits": (lambda: projection_error(PLANE, 8, 13), None),
    "error of degree 6, d = 3, 10 digits": (lambda: projection_error(SPACE, 6, 10), None),
}


@dataclass(frozen=True)
class Row:
    """One certificate's figures."""

    name: str
    value: str
    width: float
    seconds: float
    goal: float | None
    method: str
    check_seconds: float
    check_method: str


def timed(name: str, repeats: int) -> Row:
    """Certify one case, and check the certificate."""
    work, goal = CASES[name]
    best, certificate = float("inf"), None
    for _ in range(repeats):
        began = time.perf_counter()
        certificate = work()
        best = min(best, time.perf_counter() - began)
        if best > 1:
            break
    began = time.perf_counter()
    confirmed = check(certificate)
    return Row(
        name,
        str(certificate).split("(")[0].split("=")[1].strip(),
        float(certificate.width),
        best,
        goal,
        certificate.method,
        time.perf_counter() - began,
        confirmed.method,
    )


def sympy_seconds() -> tuple[float, Fraction]:
    """Return the seconds of ``Integral.evalf(30)`` for the first case, and its value."""
    x = sympy.Symbol("x", real=True)
    density = LINE.density(x)
    definition = sympy.Integral(sympy.diff(density, x) ** 2 / density, (x, -sympy.oo, sympy.oo))
    began = time.perf_counter()
    value = definition.evalf(30)
    return time.perf_counter() - began, Fraction(str(value))


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-sympy", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    print(f"{'certificate':<42}{'seconds':>9}{'goal':>6}{'width':>9}{'check':>8}  methods")
    rows = []
    for name in CASES:
        row = timed(name, options.repeats)
        rows.append(row)
        goal = "" if row.goal is None else f"{row.goal:g}"
        print(
            f"{row.name:<42}{row.seconds:9.4f}{goal:>6}{row.width:9.1e}{row.check_seconds:8.3f}  "
            f"{row.method} / {row.check_method}",
            flush=True,
        )
    figures: dict[str, object] = {"rows": [asdict(row) for row in rows]}
    if not options.without_sympy:
        spent, value = sympy_seconds()
        exact = fisher_information(LINE, 30)
        figures |= {"sympy_seconds": spent, "ratio": spent / rows[0].seconds}
        print(
            f"\nSymPy's Integral.evalf(30) of the first: {spent:.1f} s, "
            f"{spent / rows[0].seconds:.0f} times as long; it differs by "
            f"{float(abs(value - exact.midpoint)):.1e}"
        )
    if options.output:
        options.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
