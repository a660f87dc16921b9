"""Mistakes in the checks of section 5 and of the appendices of paper B."""

from tests.ledger.faults import Fault

FAULTS: tuple[Fault, ...] = (
    # Open balls.
    Fault("B.Def5.1", "paper_b.cells", "abs(atom - start) <= radius", "abs(atom - start) < radius"),
    # A score of the whole law, not of the part.
    Fault(
        "B.Def5.2",
        "paper_b.cells",
        "field.element(s) * field.diff(p, y) / p",
        "field.element(s) * field.diff(p, y) / density(range(count))",
    ),
    # A tail that falls twice as fast.
    Fault("B.Lem5.3", "paper_b.cells", "exp(-t / (16 * sigma**2))", "exp(-t / (8 * sigma**2))"),
    # The other two atoms.
    Fault("B.Lem5.3", "paper_b.cells", "(range(2), range(2, 4))", "(range(2), range(2))"),
    # A radius without the factor 3.
    Fault("B.Lem5.4", "paper_b.cells", "3 * r + 2 * sqrt(2)", "2 * r + 2 * sqrt(2)"),
    # Half the radius.
    Fault("B.Lem5.4", "paper_b.cells", "normal_tail(radius / 2)", "normal_tail(radius / 4)"),
    # The printed bound for the corrected one.
    Fault(
        "B.Lem5.5",
        "paper_b.cell_laws",
        "sympy.Rational(1, 2) * p * (p + 1) * r**2",
        "sympy.Rational(1, 2) * p * r**2",
    ),
    # The other half-line.
    Fault("B.Lem5.5", "paper_b.cell_laws", "1 if cell else -1", "-1 if cell else 1"),
    # The foreign centre's Gaussian below.
    Fault("B.Eq25", "paper_b.cell_laws", "for c in (b, a)", "for c in (a, b)"),
    # A cell that ends beside the gap between the atoms.
    Fault("B.Lem5.6", "paper_b.cell_laws", "Slabs((1,), (0,))", "Slabs((1,), (3,))"),
    # A ridge with the wrong sign.
    Fault("B.Eq28-29", "paper_b.regression", "(g + size * identity)", "(g - size * identity)"),
    # Twice the square.
    Fault("B.Eq28-29", "paper_b.regression", "loss = (column", "loss = 2 * (column"),
    Fault(
        "B.Eq30", "paper_b.regression", "Rational(-2)) - parts(zero", "Rational(2)) - parts(zero"
    ),
    # The printed coefficient corrected: then nothing is refuted.
    Fault(
        "B.Eq30",
        "paper_b.regression",
        "parts(matrix, Rational(1)) - parts(zero, Rational(1))",
        "parts(matrix, Rational(-2)) - parts(zero, Rational(-2))",
    ),
    # A constant 1 for 2.
    Fault("B.Lem1", "paper_b.regression", "excess <= span,", "2 * excess <= span,"),
    Fault("B.Eq34", "paper_b.regression", "b[j] * flat[i]", "b[j] * flat[j]"),
    Fault("B.Lem5.7", "paper_b.concentration", "most = 2 * max(one, two)", "most = max(one, two)"),
    # The target's noise as that of the clean draw.
    Fault("B.Lem5.7", "paper_b.concentration", "clean - clean**2 / noisy", "clean - clean**2 / t"),
    # A cross term whose mean is not 0.
    Fault("B.Lem5.8", "paper_b.concentration", "(3, -1), 2)", "(3, -1), 3)"),
    # A factor e.
    Fault("B.p38binom", "paper_b.concentration", "below_e ** (j - 1)", "below_e**j * 3"),
    Fault("B.p38binom", "paper_b.concentration", "(k + 1) * (log(k + 1) - 1)", "k * log(k + 1)"),
    Fault("B.Lem5.9", "paper_b.concentration", "-2 * (d + 1) * p)", "-2 * d * p)"),
    Fault("B.Lem5.10", "paper_b.concentration", "- 2 * (matrix * cross)", "- (matrix * cross)"),
    Fault("B.Lem5.11", "paper_b.concentration", "freedom + 2 * j", "freedom + j"),
    # Balls of half the radius.
    Fault("B.Alg2", "paper_b.warm_starts", "len(points)), 10.0, m)", "len(points)), 5.0, m)"),
    Fault("B.Lem5.12", "paper_b.warm_starts", "(4 * noise) ** 2", "(2 * noise) ** 2"),
    # Denoised points at the middle.
    Fault("B.Lem5.12", "paper_b.warm_starts", "for value in (-2, 2)", "for value in (-3, 3)"),
    Fault("B.Chern", "paper_b.warm_starts", "c**2 / (2 + c)", "c**2 / (1 + c)"),
    Fault("B.Lem5.13", "paper_b.warm_starts", "(u - eps) / k", "u / k"),
    # The set that covers least.
    Fault("B.Lem5.13", "paper_b.warm_starts", "left - max(sets", "left - min(sets"),
    # The printed weight's exponent.
    Fault("B.p46", "paper_b.parameters", "(noisy + 1) / noisy**2", "(noisy + 1) / noisy"),
    # A step without its root.
    Fault("B.ThmA.1", "paper_b.appendix_sampler", "rho**2 - 1)\n", "rho - 1)\n"),
    # The index as printed.
    Fault("B.ThmA.1", "paper_b.appendix_sampler", "zip(steps, shifts,", "zip(steps, shifts[1:],"),
    # Signs as printed.
    Fault("B.p50", "paper_b.appendix_sampler", "(v - sqrt(u * v))", "(v - 2 - sqrt(u * v))"),
    Fault("B.p50", "paper_b.appendix_sampler", "(1 - k / (k + 1))", "(1 - k)"),
    Fault("B.ThmB.1", "paper_b.hypercontractivity", "(q - 1) * s**2", "(q - 1) * s"),
    # Beyond the sharp time.
    Fault("B.ThmB.1", "paper_b.hypercontractivity", "(Fraction(1, 3),", "(Fraction(1, 1),"),
    Fault("B.LemB.2", "paper_b.hypercontractivity", "(2 * half - 1) ** (k * half)", "half ** k"),
    Fault("B.LemB.2", "paper_b.hypercontractivity", "(1 + r) ** d", "(1 + r) ** (d - 1)"),
    Fault("B.LemB.3", "paper_b.hypercontractivity", "r**2 / 2 + 2 * d / a", "r**2 + 2 * d / a"),
    Fault("B.LemB.4", "paper_b.hypercontractivity", "(y + a * m) ** 2", "(y - a * m) ** 2"),
    # Atoms at one place.
    Fault("B.LemB.4", "paper_b.hypercontractivity", "+ (-ball_of(square)).exp()", "+ 1"),
    Fault("B.LemC.1", "paper_b.sub_exponential", "(x - x**2 / 2)", "(x - x**2 / 3)"),
    Fault("B.LemC.1", "paper_b.sub_exponential", "edge / ball_of(1 + added)", "edge / 2"),
    Fault("B.Def2", "paper_b.sub_exponential", "return 2 * lam**2 + lam", "return lam**2 + lam"),
    Fault("B.PropD.1", "paper_b.sub_exponential", "lam**2 * v**2 / 2 - lam * t", "-lam * t"),
    Fault(
        "B.PropD.1",
        "paper_b.sub_exponential",
        "Fraction(2 * factorial(p)",
        "Fraction(3 * factorial(p)",
    ),
    Fault("B.PropD.2", "paper_b.sub_exponential", "square = 4 * sum(", "square = sum("),
    Fault("B.PropD.3", "paper_b.sub_exponential", "(n * lam) ** 2", "n * lam**2"),
    Fault("B.PropD.3", "paper_b.sub_exponential", "square = n * 4 * n", "square = n"),
)
