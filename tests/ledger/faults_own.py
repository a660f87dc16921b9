"""Mistakes in the checks of the results derived here."""

from tests.ledger.faults import Fault

FAULTS: tuple[Fault, ...] = (
    # Phases that add up twice.
    Fault(
        "own.Strip",
        "own.approximation",
        "ball_of(radius * eta).cos()",
        "ball_of(radius * eta / 2).cos()",
    ),
    # The moment of a length in one dimension more.
    Fault("own.Strip", "own.approximation", "divisor * (n + 2 * m)", "divisor * (n + 2 * m + 1)"),
    Fault(
        "own.Strip",
        "own.approximation",
        "factorial(m) * comb(sum(k), m) * e",
        "comb(sum(k), m) * e",
    ),
    Fault(
        "own.Strip",
        "own.approximation",
        "theorems.strip_by_sums(1, d, Fraction(1), theta)",
        "theorems.strip_by_sums(1, d, Fraction(1, 9), theta)",
    ),
    Fault(
        "own.NoiseSensitivity",
        "own.approximation",
        "following - moment * moments[0]",
        "following + moment * moments[0]",
    ),
    Fault(
        "own.NoiseSensitivity",
        "own.approximation",
        "(-1) ** (blocks - 1) * factorial(blocks - 1)",
        "(-1) ** (blocks - 1) * factorial(blocks)",
    ),
    Fault(
        "own.DilatedReference", "own.approximation", "m**2 / (2 * delta * v)", "m**2 / (delta * v)"
    ),
    Fault(
        "own.DilatedReference",
        "own.approximation",
        "ball_of(1 + spread).sqrt()",
        "ball_of(1 + spread)",
    ),
    Fault(
        "own.SoftmaxDegree",
        "own.softmax",
        "length * (rho - 1 / rho) / 2, b",
        "length * (rho + 1 / rho) / 2, b",
    ),
    Fault(
        "own.SoftmaxDegree",
        "own.softmax",
        "2 / (slope / 2 * (1 - slope / 4)) < 6",
        "2 / (slope / 2 * (1 - slope / 2)) < 6",
    ),
    # A tail with its beginning twice.
    Fault("own.SoftmaxDegree", "own.softmax", "(whole - begin)", "(whole + begin)"),
    # A rate that is squared.
    Fault(
        "own.SoftmaxDegree",
        "own.softmax",
        "_rho(length, b) ** k * ball_of",
        "_rho(length, b) ** (2 * k) * ball_of",
    ),
    Fault(
        "own.SamplerBound",
        "own.sampling",
        "2 * (1 - 1 / rho) * divergence",
        "2 * (rho - 1) * divergence",
    ),
    # A sampler whose noise is the forward process's.
    Fault(
        "own.SamplerBound",
        "own.sampling",
        "new[-1] + rho * rho - 1",
        "new[-1] + 1 - 1 / (rho * rho)",
    ),
    Fault("own.SamplerBound", "own.sampling", "2 * (rho - 1) * slope", "(rho - 1) * slope"),
    Fault(
        "own.NormalEquations",
        "own.sampling",
        "(comb(k, r) * comb(n, r) * factorial(r))",
        "(comb(k, r) * comb(n, r))",
    ),
    Fault(
        "own.NormalEquations",
        "own.sampling",
        "(1 - alpha**2) ** (j // 2)",
        "(1 - alpha) ** (j // 2)",
    ),
    Fault("own.NormalEquations", "own.sampling", "-k * alpha ** (k - 1)", "-k * alpha**k"),
    Fault("own.Bijection", "own.steps", "(1 - b) * y + b * stage", "b * y + (1 - b) * stage"),
    Fault("own.Bijection", "own.steps", "1 - b - excess * big", "1 - b + excess * big"),
    # A stage that shrinks more than the condition allows.
    Fault(
        "own.Bijection", "own.steps", "outer = one * low_last +", "outer = one * (low_last - 1) +"
    ),
    Fault(
        "own.AnyStep", "own.steps", "element(kappa * covariance)", "element(kappa**2 * covariance)"
    ),
    # Anti-monotone fields.
    Fault(
        "own.AnyStep",
        "own.steps",
        "last = square * square.transpose()",
        "last = -square * square.transpose()",
    ),
    # The stage elsewhere than at kappa + a h.
    Fault("own.StepRule", "own.coefficients", "kappa + a * h)", "kappa + h)"),
    Fault("own.StepRule", "own.coefficients", "sympy.sqrt(s + 1) * y", "(s + 1) * y"),
    # A mean error without the flow's own factor.
    Fault(
        "own.StepRule", "own.coefficients", "theta * s * (step - flow)", "theta * s * (step + flow)"
    ),
)
