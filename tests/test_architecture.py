"""The package's shape: who may import whom, and what no module may do.

The checker reads source text, so that it can be tested on planted violations; imports count
wherever they stand, inside functions too.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 300

BASE = {"errors", "arrays", "schedule", "mixture"}
LEARN = BASE | {"learn"}
FLOW = LEARN | {"flow"}
MIDDLE = FLOW | {"io", "bridge"}
UPPER = MIDDLE | {"recipes", "fitted", "estimator", "baselines", "data"}
TOP = {"cli", "demo", "symscore", "__main__"}
EVERYTHING = (
    UPPER | TOP | {"progress", "strict_json", "atomic", "exact", "ledger", "compare", "pymc"}
)

# The first name after "symscore" -> those it may import besides itself. Arrows point down only.
MAY_SEE = {
    "errors": set(),
    "arrays": BASE,
    "schedule": BASE,
    "mixture": BASE,
    "progress": set(),
    "strict_json": set(),
    "atomic": {"errors"},
    "exact": {"errors", "strict_json", "atomic"},
    "learn": BASE,
    "flow": LEARN,
    "io": FLOW | {"strict_json", "atomic"},
    "bridge": FLOW | {"exact"},
    "data": BASE | {"io"},
    "recipes": FLOW,
    "fitted": MIDDLE,
    "estimator": MIDDLE | {"recipes", "fitted"},
    "baselines": MIDDLE,
    "ledger": FLOW | {"bridge", "exact"},
    "compare": UPPER,
    "pymc": UPPER | {"progress"},
    "cli": EVERYTHING,
    "demo": EVERYTHING,
    "symscore": EVERYTHING,  # the root's lazy names
    "__main__": EVERYTHING,
}

# The folders of the exact layer, each with those it may import from; modules beside them
# (mixtures, certificates, claims) may be imported by all.
WITHIN_EXACT = {
    "arithmetic": set(),
    "proofs": {"arithmetic"},
    "formulas": {"arithmetic"},
    "expansions": {"arithmetic"},
    "information": {"arithmetic"},
    "bijections": {"arithmetic"},
    "distances": {"arithmetic", "expansions", "information"},
    "bounds": {"arithmetic", "information"},
    "planning": {"arithmetic", "expansions", "information", "distances"},
}

SAMPLING = (
    "symscore.pymc",
    "symscore.baselines.mcmc",
    "symscore.baselines.stack",
    "symscore.demo",
)
EXACT = ("symscore.exact", "symscore.bridge")
DRAWS = ("symscore.compare", "symscore.baselines", "symscore.pymc", "symscore.io", "symscore.cli")
ONLY_IN = {
    "pymc": SAMPLING,
    "pytensor": SAMPLING,
    "flint": (*EXACT, "symscore.ledger"),
    "sympy": (*EXACT, "symscore.ledger", "symscore.pymc.from_sympy"),
    **dict.fromkeys(
        ("arviz", "arviz_base", "arviz_plots", "arviz_stats"), (*DRAWS, "symscore.demo")
    ),
}
FLOATING = {"numpy", "scipy", "numba", "sklearn"}
# Import names, where they are not the distribution's own.
BRINGS = {
    "scikit-learn": {"sklearn"},
    "numba": {"numba", "llvmlite"},
    "python-flint": {"flint"},
    "pymc": {"pymc", "pytensor"},
    "arviz": {"arviz", "arviz_base", "arviz_plots", "arviz_stats"},
}

UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "parse_expr"}
# Each may run for ever or answer in another form on the next release.
UNBOUNDED = {
    *("simplify", "nsimplify", "integrate", "manualintegrate", "heurisch", "series", "aseries"),
    *("limit", "refine", "dsolve", "summation"),
}
SEEDED = {"Generator", "default_rng", "SeedSequence", "BitGenerator", "Philox", "PCG64"}


def dotted(node: ast.expr) -> str:
    """`a.b.c` for such an expression, else its last part or nothing."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case _:
            return ""


def imports(tree: ast.AST, modules: set[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Line and dotted target of each import; `from p import m` is p.m where that is a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    full = f"{module}.{alias.name}"
                    yield node.lineno, full if full in modules else module
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                if dotted(func).rpartition(".")[2] in {"import_module", "__import__"}:
                    yield node.lineno, name


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(place + ".") for place in places)


def points_down_in_exact(module: str, target: str) -> bool:
    """Whether an import between two folders of the exact layer is one of WITHIN_EXACT."""
    here, there = (name.split(".")[2:3] for name in (module, target))
    if layer_of(module) != "exact" or layer_of(target) != "exact":
        return True
    if not here or not there or {*here, *there} - set(WITHIN_EXACT):
        return True
    return here == there or there[0] in WITHIN_EXACT[here[0]]


def why_not(module: str, target: str) -> str:
    """Why `module` may not import `target`; empty where it may."""
    top = target.split(".")[0]
    here = layer_of(module)
    if top == "symscore":
        allowed = MAY_SEE[here] | {here}
        if layer_of(target) not in allowed or not points_down_in_exact(module, target):
            return "an arrow that points up or sideways"
        return ""
    if top in UNSAFE_MODULES:
        return "runs code from data"
    if here == "exact" and top in FLOATING:
        return "float arithmetic in the exact layer"
    if not within(module, ONLY_IN.get(top, (module,))):
        return f"allowed only in {', '.join(ONLY_IN[top])}"
    known = top in declared_imports() or top in sys.stdlib_module_names
    return "" if known else "not declared in pyproject.toml"


@cache
def declared_imports() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {item.split(">")[0].split("[")[0] for item in wanted}
    return set().union(*(BRINGS.get(name, {name.replace("-", "_")}) for name in names))


def names_from_sympy(tree: ast.AST) -> set[str]:
    """The names that a module imports from SymPy, as it calls them."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sympy"
        for alias in node.names
    }


def bad_call(node: ast.Call, uses_sympy: bool, from_sympy: set[str]) -> str:
    """What is wrong with a call; empty where nothing is."""
    path = dotted(node.func)
    name = path.rpartition(".")[2]
    given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
    if given.get("allow_pickle") is True:
        return "allow_pickle=True"
    if path in UNSAFE_CALLS or name == "parse_expr":
        return f"{name}()"
    if path.startswith(("np.random.", "numpy.random.")) and name not in SEEDED:
        return f"np.random.{name}(), global random state"
    # A bare name is SymPy's only where it came from there: `limit` is also an ordinary word.
    is_own = path in UNBOUNDED and path not in from_sympy
    if uses_sympy and name in UNBOUNDED and not is_own:
        return f"SymPy's {name}()"
    # Without strict=True both parse strings, which runs them.
    if uses_sympy and name in {"sympify", "S"} and given.get("strict") is not True:
        return f"{name}() without strict=True"
    return ""


def violations(module: str, source: str, modules: set[str]) -> list[str]:
    """Everything in one module's source that the rules forbid."""
    if layer_of(module) not in MAY_SEE:
        return [f"{module}: its layer is not in MAY_SEE"]
    tree = ast.parse(source)
    found = list(imports(tree, modules))
    wrong = [
        f"{module}:{line}: imports {target}: {reason}"
        for line, target in found
        if (reason := why_not(module, target))
    ]
    uses_sympy = any(target.split(".")[0] == "sympy" for _, target in found)
    from_sympy = names_from_sympy(tree)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(level=level) if level:
                wrong.append(f"{module}:{node.lineno}: a relative import")
            case ast.ExceptHandler(type=None):
                wrong.append(f"{module}:{node.lineno}: a bare except")
            case ast.Call() if reason := bad_call(node, uses_sympy, from_sympy):
                wrong.append(f"{module}:{node.lineno}: calls {reason}")
    lines = source.count("\n")
    return wrong + [f"{module}: {lines} lines"] * (lines > MAX_LINES)


def at_import(source: str, modules: set[str]) -> set[str]:
    """The package's modules that a module imports when it is itself imported."""
    tree = ast.parse(source)

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            """Leave out a function: its imports run later."""

        def visit_If(self, node: ast.If) -> ast.AST | None:
            if dotted(node.test).endswith("TYPE_CHECKING"):
                return None
            return self.generic_visit(node)

    return {target for _, target in imports(Strip().visit(tree), modules)} & modules


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    name_of(path): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "symscore").rglob("*.py"))
}


@pytest.mark.parametrize("module", SOURCES)
def test_module_keeps_the_rules(module):
    assert violations(module, SOURCES[module], set(SOURCES)) == []


def test_no_import_cycles():
    graph = {name: at_import(source, set(SOURCES)) - {name} for name, source in SOURCES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_importing_the_package_is_light():
    heavy = {"pymc", "pytensor", "arviz", "jax", "matplotlib"}
    program = f"import sys, symscore; print(*sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


PLANTED = {
    "learn sees exact": ("symscore.learn.x", "from symscore.exact import numbers"),
    "exact sees learn": ("symscore.exact.x", "import symscore.learn.field"),
    "flow sees io": ("symscore.flow.x", "def f():\n    from symscore import io"),
    "below sees the root": ("symscore.flow.x", "from symscore import ScoreFlow"),
    "balls see distances": (
        "symscore.exact.arithmetic.x",
        "from symscore.exact.distances.cells import Slabs",
    ),
    "siblings": ("symscore.compare.x", "from symscore.pymc import LearnedScore"),
    "by name": ("symscore.learn.x", "import importlib\nimportlib.import_module('pymc')"),
    "pymc": ("symscore.compare.x", "def f():\n    import pymc as pm"),
    "pytensor": ("symscore.baselines.em", "from pytensor.graph import Op"),
    "sympy": ("symscore.flow.x", "import sympy"),
    "flint": ("symscore.learn.x", "from flint import arb"),
    "arviz": ("symscore.estimator", "import arviz_base"),
    "floats": ("symscore.exact.x", "import numpy as np"),
    "undeclared": ("symscore.io.x", "import requests"),
    "new layer": ("symscore.utils", ""),
    "relative": ("symscore.flow.x", "from . import steps"),
    "pickle": ("symscore.io.x", "import pickle"),
    "allow_pickle": ("symscore.io.x", "import numpy as np\nnp.load(p, allow_pickle=True)"),
    "eval": ("symscore.io.x", "eval(text)"),
    "exec": ("symscore.io.x", "exec(text)"),
    "parse_expr": ("symscore.exact.x", "import sympy\nsympy.parsing.parse_expr(text)"),
    "sympify": ("symscore.exact.x", "from sympy import sympify\nsympify(text)"),
    "simplify": ("symscore.exact.x", "import sympy\n(expression + 1).simplify()"),
    "integrate": ("symscore.bridge", "from sympy import integrate\nintegrate(f, x)"),
    "series": ("symscore.exact.x", "import sympy\nf.series(x)"),
    "limit": ("symscore.exact.x", "from sympy import limit\nlimit(f, x, 0)"),
    "a method's limit": ("symscore.exact.x", "import sympy\nf.limit(x, 0)"),
    "refine": ("symscore.exact.x", "import sympy\nsympy.refine(f)"),
    "nsimplify": ("symscore.exact.x", "from sympy import nsimplify\nnsimplify(f)"),
    "manualintegrate": (
        "symscore.exact.x",
        "from sympy.integrals.manualintegrate import manualintegrate\nmanualintegrate(f, x)",
    ),
    "heurisch": (
        "symscore.exact.x",
        "from sympy.integrals.heurisch import heurisch\nheurisch(f, x)",
    ),
    "aseries": ("symscore.exact.x", "import sympy\nf.aseries(x)"),
    "dsolve": ("symscore.exact.x", "import sympy\nsympy.dsolve(f)"),
    "summation": ("symscore.exact.x", "from sympy import summation\nsummation(f, (x, 0, n))"),
    "seed": ("symscore.learn.x", "import numpy as np\nnp.random.seed(0)"),
    "bare except": ("symscore.io.x", "try:\n    f()\nexcept:\n    g()"),
    "long": ("symscore.io.x", "x = 1\n" * (MAX_LINES + 1)),
}


@pytest.mark.parametrize("case", PLANTED)
def test_the_checker_sees_a_planted_violation(case):
    module, source = PLANTED[case]
    assert len(violations(module, source, {*SOURCES, "symscore.io"})) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("symscore.flow.x", "from symscore.learn.field import f\nfrom symscore.errors import E"),
        ("symscore.bridge", "from symscore.exact import g\nfrom sympy import sympify"),
        ("symscore.exact.x", "from sympy import sympify\nsympify(number, strict=True)"),
        ("symscore.baselines.mcmc", "import pymc"),
        ("symscore.learn.x", "import numpy as np\nnp.random.default_rng(0)"),
        ("symscore.flow.x", "from scipy.integrate import quad\nquad(f, 0, 1)"),
        ("symscore.exact.x", "import sympy\ndef limit(n):\n    return n\nlimit(3)"),
    ],
)
def test_the_checker_lets_sound_source_pass(module, source):
    assert violations(module, source, set(SOURCES)) == []


def test_the_cycle_search_ignores_what_runs_later():
    later = "def f():\n    import symscore.c\nif TYPE_CHECKING:\n    import symscore.d"
    source = f"import symscore.b\n{later}"
    assert at_import(source, {"symscore.b", "symscore.c", "symscore.d"}) == {"symscore.b"}
