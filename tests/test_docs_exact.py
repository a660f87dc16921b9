"""The page on the exact layer speaks of every claim, and its code runs as it is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from symscore.exact import certify, check
from symscore.exact.claims import CLAIMS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "exact.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^```\{run\}( sh)?\n((?::\w+:[^\n]*\n)*)(.*?)^```$", flags=re.DOTALL | re.MULTILINE
)
BLOCKS = [(shell.strip(), code) for shell, _, code in BLOCK.findall(PAGE)]


def specifications() -> dict:
    (code,) = [code for _, code in BLOCKS if "SPECS = {" in code]
    names: dict = {}
    exec(compile(f"import json\n{code}", "exact.md", "exec"), names)
    return names["SPECS"]


def test_every_claim_has_a_specification() -> None:
    assert set(specifications()) == set(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_specification_is_certified_and_confirmed(claim: str) -> None:
    certificate = certify({"claim": claim} | specifications()[claim])
    assert check(certificate).method != certificate.method


def test_every_block_was_found() -> None:
    assert len(BLOCKS) == PAGE.count("```{run}")


@pytest.mark.slow
def test_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    monkeypatch.setenv("PATH", commands)
    names: dict = {"__name__": "exact"}
    for shell, code in BLOCKS:
        if shell:
            subprocess.run(["sh", "-eu", "-c", code], check=True)
        else:
            exec(compile(code, "exact.md", "exec"), names)
    for expression in re.findall(r"\{value\}`([^`]*)`", PAGE):
        assert str(eval(expression, names))
    assert names["report"].certificate.upper == 0
    assert all(row.needs.pieces.degree <= row.needs.one.degree for row in names["separations"].rows)
