"""Mistakes in the checks of sections 1 to 4 of paper B."""

from tests.ledger.faults import Fault

FAULTS: tuple[Fault, ...] = (
    # An open ball holds less.
    Fault(
        "B.Asm1.1", "paper_b.setting", "abs(other - atom) <= radius", "abs(other - atom) < radius"
    ),
    # A sign under the root.
    Fault(
        "B.Alg1",
        "paper_b.setting",
        "sqrt((t + 1) * (following + 1))",
        "sqrt((t + 1) * (following - 1))",
    ),
    # The variance preserving step without its factor 2.
    Fault("B.Alg1", "paper_b.setting", "2 * (rho - 1) * sqrt(v) * s", "(rho - 1) * sqrt(v) * s"),
    # The first level twice as far.
    Fault("B.Alg1", "paper_b.setting", "clean / (2 * sqrt(n))", "clean / sqrt(n)"),
    # A mass that is the whole of epsilon.
    Fault("B.Cor1.3", "paper_b.examples", "inverse * base**size", "inverse * base ** (2 * size)"),
    # Squared norms j + 1.
    Fault("B.Cor1.3", "paper_b.examples", "arb(2 * (j + 1)).sqrt()", "arb(j + 1).sqrt()"),
    # The physicists' recursion.
    Fault(
        "B.Herm",
        "paper_b.examples",
        "recursive[-1] * sympy.Poly(z, z) - recursive[-1].diff(z)",
        "recursive[-1] * sympy.Poly(2 * z, z) - recursive[-1].diff(z)",
    ),
    Fault("B.p9ex", "paper_b.examples", "-y + n * tanh(m * x + n * y)", "-y + n * tanh(m * x)"),
    # Time that runs twice as fast.
    Fault(
        "B.VEVP",
        "paper_b.diffusions",
        "curve = half * field.diff(g, x, 2)",
        "curve = field.diff(g, x, 2)",
    ),
    # A reverse drift with one score.
    Fault("B.VEVP", "paper_b.diffusions", "(place + score + score) * g", "(place + score) * g"),
    # The mean of the family's draws.
    Fault("B.Thm3.1", "paper_b.sampler", "(1 - (1 - h**2) * rest) / h", "(1 - (1 - h) * rest) / h"),
    # The corrected weights with the printed sign.
    Fault(
        "B.Thm3.1",
        "paper_b.sampler",
        "return before**2",
        "return 1 / after**2",
    ),
    # The printed weights with the corrected sign: then nothing is refuted.
    Fault(
        "B.Thm3.1",
        "paper_b.sampler",
        "return 1 / after**2",
        "return before**2",
    ),
    Fault(
        "B.Nstep", "paper_b.sampler", "k * (1 + k - tau) / (1 + k)", "k * (1 - k - tau) / (1 + k)"
    ),
    # A sum over half the time.
    Fault("B.Thm3.1", "paper_b.sampler", "(before / after) ** 2).log()", "before / after).log()"),
    # A potential that is logarithmic throughout.
    Fault(
        "B.Nstep",
        "paper_b.sampler",
        "ball_of(top - 1) - ball_of(low).log()",
        "ball_of(top).log() - ball_of(low).log()",
    ),
    Fault("B.Eq3-4", "paper_b.denoiser", "_dot(m, m) / 2) / s", "_dot(m, m)) / s"),
    Fault("B.Eq5-6", "paper_b.denoiser", "share = (a + t) / t", "share = (a + t) / a"),
    Fault("B.Eq7-9", "paper_b.denoiser", "left == -sum(k) * h", "left == -2 * sum(k) * h"),
    Fault("B.Eq7-9", "paper_b.denoiser", "spread = v * (1 - a**2)", "spread = v * (1 - a)"),
    # A power that belongs to the square.
    Fault(
        "B.Lem4.1",
        "paper_b.denoiser",
        "(variance / d) ** (2 * m) * norm",
        "(variance / d) ** (2 * m + 1) * norm",
    ),
    Fault("B.Lem4.1", "paper_b.denoiser", "m, 2).sqrt() / d**m", "m, 2) / d ** (2 * m)"),
    Fault("B.Lem4.1", "paper_b.denoiser", "return (variance / d) **", "return (variance * d) **"),
    # The source of a replica twice.
    Fault("B.p21", "paper_b.noise_stability", "-r * u[chosen[r]]", "-u[chosen[r]]"),
    Fault(
        "B.Eq10-11",
        "paper_b.noise_stability",
        "space.diff(second, P[1]) + cross + cross",
        "space.diff(second, P[1]) + cross",
    ),
    Fault(
        "B.Lem4.2",
        "paper_b.noise_stability",
        "_laplacian(left) - _euler(left)",
        "_laplacian(left) + _euler(left)",
    ),
    Fault(
        "B.Lem4.2",
        "paper_b.noise_stability",
        "curve = t * (t - 1) + 2 * t * 2 * r",
        "curve = t * (t - 1) + t * 2 * r",
    ),
    Fault("B.Def4.3", "paper_b.sensitivity", "m**2 / sigma**2) ** m", "m**2 / sigma) ** m"),
    Fault("B.Def4.3", "paper_b.sensitivity", "** m * root**m", "** m * root ** (m - 1)"),
    Fault(
        "B.Lem4.4", "paper_b.sensitivity", "sigma ** (2 * (s + t + m))", "sigma ** (2 * (s + t))"
    ),
    Fault("B.Lem4.4", "paper_b.sensitivity", "q = a**2 / mp", "q = a / mp"),
    # A normal moment below its root.
    Fault(
        "B.Lem4.4",
        "paper_b.sensitivity",
        "spread * arb(q).sqrt()",
        "spread * arb(q) ** (arb(1) / 4)",
    ),
    Fault("B.Eq14-15", "paper_b.smoothing", "(-1) ** (m - j)", "(-1) ** (m + 1)"),
    Fault("B.Eq14-15", "paper_b.smoothing", "(ball_of(h) ** m *", "(ball_of(h) ** (m + 1) *"),
    # A filter that passes what it should stop.
    Fault(
        "B.Lem4.5", "paper_b.smoothing", "factor = 1 - (1 - Fraction", "factor = 1 + (1 - Fraction"
    ),
    Fault(
        "B.Eq20",
        "paper_b.smoothing",
        "(-1) ** (j + 1) * comb(order, j)",
        "(-1) ** j * comb(order, j)",
    ),
    Fault("B.Eq20", "paper_b.smoothing", "gap + z * (1 - rest)", "gap + z * rest"),
)
