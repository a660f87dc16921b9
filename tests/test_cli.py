"""The command line, as a user types it: files in, files out, one clear line when wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symscore
from symscore.io.tables import read_table


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "symscore", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    x = np.random.default_rng(0).normal(size=(80, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    rows = "\n".join(f"{a:.17g},{b:.17g},1" for a, b in x)
    (folder / "data.csv").write_text(f"a,b,w\n{rows}\n", encoding="utf-8")
    done = run("fit", "data.csv", "-o", "model.npz", "--columns", "a,b", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bar in a pipe
    report = json.loads(done.stdout)
    assert report["names"] == ["a", "b"]
    assert report["rows"] == 80
    return folder


def test_same_as_the_estimator(folder: Path) -> None:
    table = read_table(folder / "data.csv", columns=["a", "b"])
    flow = symscore.load(folder / "model.npz")
    fitted = symscore.ScoreDensity(random_state=0).fit(table.values).flow_
    assert np.array_equal(flow.log_density(table.values), fitted.log_density(table.values))


@pytest.mark.parametrize("name", ["draws.csv", "draws.parquet", "draws.tsv"])
def test_sample(folder: Path, name: str) -> None:
    done = run("sample", "model.npz", "-n", 25, "-o", name, "--seed", 3, cwd=folder)
    assert done.returncode == 0, done.stderr
    flow = symscore.load(folder / "model.npz")
    expected = flow.draw(25, rng=np.random.default_rng(3))
    assert np.array_equal(read_table(folder / name).values, expected)


def test_sample_for_arviz(folder: Path) -> None:
    import arviz as az

    assert run("sample", "model.npz", "-n", 9, "-o", "draws.nc", cwd=folder).returncode == 0
    assert az.from_netcdf(folder / "draws.nc").posterior["a"].shape == (1, 9)


def test_describe(folder: Path) -> None:
    report = json.loads(run("describe", "model.npz", "--json", cwd=folder).stdout)
    assert report["names"] == ["a", "b"]
    assert len(report["cells"]) == report["levels"]
    modes = symscore.load(folder / "model.npz").modes(rng=np.random.default_rng(0))
    assert [mode["location"] for mode in report["modes"]] == modes.locations.tolist()
    assert [mode["interval"] for mode in report["modes"]] == modes.intervals.tolist()
    assert report["modes"][modes.log_densities.argmax()]["depth"] is None
    shown = run("describe", "model.npz", cwd=folder)
    assert "names" in shown.stdout
    assert str(modes) in shown.stdout
    assert shown.stderr == ""


BAD_TABLES = {
    "nan.csv": ("a,b\n1,2\n3,nan\n", "nan.csv:3"),
    "inf.csv": ("a,b\n1,inf\n3,4\n", "inf.csv:2"),
    "words.csv": ("a,b\n1,x\n2,y\n", "'b'"),
    "constant.csv": ("a,b\n" + "".join(f"{i},7\n" for i in range(40)), "'b' is constant"),
    "collinear.csv": ("a,b\n" + "".join(f"{i**2},{2 * i**2}\n" for i in range(40)), "'a', 'b'"),
    "few.csv": ("a,b\n1,2\n", "a minimum of 2 is required"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables_are_one_line_and_status_2(folder: Path, name: str) -> None:
    text, message = BAD_TABLES[name]
    (folder / name).write_text(text, encoding="utf-8")
    done = run("fit", name, "-o", "never.npz", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "never.npz").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fit", "absent.csv", "-o", "never.npz"), "absent.csv"),
        (("fit", "data.csv", "-o", "no/folder/never.npz"), "Expected --output in a folder"),
        (("fit", "data.csv", "-o", "never.npz", "--recipe", "magic"), "Expected --recipe auto"),
        (("fit", "data.csv", "-o", "never.npz", "--columns", "a,zz"), "zz"),
        (("describe", "data.csv"), "data.csv"),
        (("sample", "absent.npz", "-n", 3, "-o", "never.csv"), "absent.npz"),
        (("sample", "model.npz", "-n", 3, "-o", "never.xlsx"), "never.xlsx"),
    ],
)
def test_misuse_is_one_line_and_status_2(folder: Path, words: tuple, message: str) -> None:
    done = run(*words, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(folder.glob("never*"))


def test_usage_errors_have_status_2(folder: Path) -> None:
    assert run("fit", "data.csv", cwd=folder).returncode == 2
    assert run("sample", "model.npz", "-n", 0, "-o", "never.csv", cwd=folder).returncode == 2
