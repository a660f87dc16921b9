"""The page on the recipes names every function of their steps, and its code runs as printed."""

import ast
import inspect
import re
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from symscore import recipes

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
STEPS = ROOT / "symscore" / "learn"
FOLDERS = ("general_mixture", "warm_start", "ddpm")
# Compiled sums and their readable twin, the vector of an optimiser, and what writes the report.
INSIDES = {
    "symscore.learn.ddpm.kernels",
    "symscore.learn.ddpm.layout",
    "symscore.learn.ddpm.reference",
    "symscore.learn.ddpm.result",
    "symscore.learn.warm_start.account",
}
NAMED = re.findall(r"\{py:(func|class|meth)\}`~?([\w.]+)`", PAGE)
SHOWN = set(re.findall(r"^\.\. automodule:: ([\w.]+)$", PAGE, flags=re.MULTILINE))
BLOCKS = re.findall(r"^```\{run\}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def step_modules() -> dict[str, Path]:
    files = (file for folder in FOLDERS for file in (STEPS / folder).glob("*.py"))
    modules = {f"symscore.learn.{file.parent.name}.{file.stem}": file for file in files}
    return {
        name: file
        for name, file in modules.items()
        if name not in INSIDES and file.stem != "__init__"
    }


def public_functions(module: str, source: str) -> set[str]:
    """Full names of the functions that a module defines for others."""
    return {
        f"{module}.{node.name}"
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def resolved(name: str) -> object:
    """What a dotted name stands for: a module's own, or a class's."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: object = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize(("kind", "name"), sorted(set(NAMED)))
def test_what_the_page_names_exists_and_is_documented(kind: str, name: str) -> None:
    found = resolved(name)
    assert inspect.isclass(found) if kind == "class" else inspect.isfunction(found)
    assert inspect.getdoc(found)


def test_every_step_is_named() -> None:
    steps = {
        name
        for module, file in step_modules().items()
        for name in public_functions(module, file.read_text(encoding="utf-8"))
    }
    assert len(steps) > 50
    assert steps <= {name for _, name in NAMED}


def test_a_step_that_is_not_named_is_seen() -> None:
    source = "def new_step(x):\n    return x\n\n\ndef _inside():\n    return 0\n"
    new = public_functions("symscore.learn.ddpm.new", source)
    assert new == {"symscore.learn.ddpm.new.new_step"}
    assert not new <= {name for _, name in NAMED}


def test_every_module_of_steps_is_shown() -> None:
    shared = {"symscore.learn.diffusion", "symscore.learn.hermite_sums"}
    assert set(step_modules()) | shared == SHOWN


def test_every_named_recipe_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \|", PAGE, flags=re.MULTILINE)
    assert {command: name for name, command in rows} == {
        command: recipe.__name__ for command, recipe in recipes.NAMED.items()
    }


@pytest.mark.slow
def test_code_runs_and_finds_what_the_page_says() -> None:
    names: dict = {"__name__": "recipes"}
    assert len(BLOCKS) == PAGE.count("```{run}")
    with warnings.catch_warnings(action="error"):
        for code in BLOCKS:
            exec(compile(code, "recipes.md", "exec"), names)
    # Seeded, so without chance. A ring that is filled has two thirds of its distance, a mode that
    # is missed leaves a mean about two sd off, and a direction that is not found an error of 2.
    assert abs(names["radius"].mean() - 3) < 0.2
    assert np.abs(names["found"].means[names["order"]] - names["corners"]).max() < 1
    assert names["error"] < 0.5
