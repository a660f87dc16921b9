"""Mistakes in the checks of paper C."""

from tests.ledger.faults import Fault

FAULTS: tuple[Fault, ...] = (
    # A truth of the wrong length.
    Fault("C.1", "paper_c.descent", "math.copysign(math.exp(-near), found[0])", "math.exp(near)"),
    # A first stage that sees another direction.
    Fault(
        "C.1",
        "paper_c.descent",
        "population_gradient(t, math.exp(-far) * mu)",
        "population_gradient(t, math.exp(-far) * mu[::-1])",
    ),
    # A step twice as long as K / 2.
    Fault("C.4", "paper_c.descent", "own = own - 1.5 * ", "own = own - 3.0 * "),
    # Noise with the wrong sign.
    Fault("C.4", "paper_c.descent", "gates @ moved - x + noise", "gates @ moved - x - noise"),
    # A slope twice as steep.
    Fault(
        "C.5", "paper_c.descent", "sympy.tanh(u) * own - place", "sympy.tanh(2 * u) * own - place"
    ),
    Fault("C.5", "paper_c.descent", "element(student - place)", "element(student + place)"),
    # The limit of descent far in the noise, off by a factor.
    Fault(
        "C.6", "paper_c.descent", "step = power_step(theta, mu)", "step = power_step(theta, mu) / 2"
    ),
    Fault(
        "C.7",
        "paper_c.identities",
        "slopes[0] + slopes[1] == square - length",
        "slopes[0] + slopes[1] == square + length",
    ),
    # Stein's identity with its divergence once.
    Fault("C.7", "paper_c.identities", "+ divergence + divergence", "+ divergence"),
    Fault("C.8", "paper_c.identities", "own_c = 2 * _dot(m, m) - 2", "own_c = 2 * _dot(m, m) - 1"),
    Fault(
        "C.8",
        "paper_c.identities",
        "4 * m[j] - 2 * g[j] - 2 * x[j]",
        "4 * m[j] - 2 * g[j] + 2 * x[j]",
    ),
    # A pull with the whole of the curvature.
    Fault(
        "C.9",
        "paper_c.identities",
        "pull = t - half * square * slopes[2]",
        "pull = t - square * slopes[2]",
    ),
    Fault("C.9", "paper_c.identities", "2 * q - q * t**2 - 2 * u * t", "2 * q - q * t**2 - u * t"),
    Fault(
        "C.10",
        "paper_c.identities",
        "curve = -(value * slope + value * slope)",
        "curve = value * slope + value * slope",
    ),
    Fault("C.11", "paper_c.identities", "slope * ((line + size * t)", "slope * ((line - size * t)"),
    Fault(
        "C.12", "paper_c.limits", "w[0] * w[j] * (2 * (m[j] - m[0])", "w[0] * w[j] * ((m[j] - m[0])"
    ),
    Fault(
        "C.13",
        "paper_c.limits",
        "by_square, by_tangent = -square[n], -2",
        "by_square, by_tangent = square[n], -2",
    ),
    Fault("C.13", "paper_c.limits", "sympy.factorial2(2 * b - 1)", "sympy.factorial2(2 * b)"),
    Fault("C.14", "paper_c.limits", "4 * (p * m - q * t)", "4 * (p * m - 2 * q * t)"),
    Fault("C.15", "paper_c.limits", "noise = (1 - alpha**2)", "noise = (1 - alpha)"),
)
