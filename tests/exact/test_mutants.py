"""The tests of certificates fail on every seeded mistake in the code that makes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exact.mutation import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_changes_one_place(name):
    assert MUTANTS[name].source() != MUTANTS[name].path.read_text(encoding="utf-8")


def run(tests: str, mutant: str | None) -> subprocess.CompletedProcess:
    plugin = ["-p", "tests.exact.mutation"]
    chosen = [str(Path("tests/exact") / tests), "-x", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *chosen],
        cwd=ROOT,
        env=os.environ | ({"SYMSCORE_MUTANT": mutant} if mutant else {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_tests_notice(name):
    found = run(MUTANTS[name].tests, name)
    assert found.returncode == 1, found.stdout[-2000:]
    assert "1 failed" in found.stdout or "1 error" in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS.values()}))
def test_they_pass_without_a_mutant(tests):
    assert run(tests, None).returncode == 0
