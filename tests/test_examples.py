"""Every example runs as a script, and its figures are sane."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
LONG = ("02_two_stage",)  # a minute and a half


def case(path: Path):
    return pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in LONG))


@pytest.mark.parametrize("path", [case(path) for path in EXAMPLES])
def test_runs(path: Path, tmp_path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 80
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    masses = [float(figure) for figure in re.findall(r"(\d\.\d{3})$", done.stdout, flags=re.M)]
    if path.stem == "01_bimodal_prior":
        before, sampled, reference = masses
        # 0.1 is five standard errors of a chain with about 500 effective draws.
        assert abs(sampled - reference) < 0.1
        assert reference < before
    if path.stem in ("02_two_stage", "03_sign"):
        two, whole = (figures_of(what, done.stdout) for what in ("two stages", "all at once"))
        # As above; means, which are told beside their sd, get five standard errors as well.
        assert abs(two[0] - whole[0]) < 0.1
        for mean, sd, reference, spread in zip(
            two[1::2], two[2::2], whole[1::2], whole[2::2], strict=True
        ):
            assert abs(mean - reference) < 0.25 * spread + 0.1 * sd
            assert 0.7 < sd / spread < 1.4


def figures_of(what: str, printed: str) -> list[float]:
    """The figures of a line of a printed table."""
    (line,) = re.findall(rf"^{what} +(.*)$", printed, flags=re.M)
    return [float(figure) for figure in line.split()]
