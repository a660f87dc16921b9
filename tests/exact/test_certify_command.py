"""`symscore certify`, as a user types it: a specification in, a certificate out, its check."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from symscore.exact import Certificate

MIXTURE = {"weights": ["1/2", "1/2"], "means": [-2, 2], "covariances": [1, 1]}
SPEC = {"claim": "projection-error", "degree": 5, "digits": 10, "mixture": MIXTURE}


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "symscore", "certify", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC), encoding="utf-8")
    return tmp_path


def test_a_certificate_is_written_and_confirmed(folder: Path) -> None:
    made = run("spec.json", "-o", "cert.json", cwd=folder)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""  # no progress bar in a pipe
    assert "projection-error" in made.stdout
    certificate = Certificate.load(folder / "cert.json")
    assert certificate.inputs["degree"] == 5
    checked = run("--check", "cert.json", "--json", cwd=folder)
    assert checked.returncode == 0, checked.stderr
    report = json.loads(checked.stdout)
    assert report["confirmed"] is True
    assert report["made_by"] != report["confirmed_by"]


def test_without_a_file_the_record_goes_to_standard_output(folder: Path) -> None:
    made = run("spec.json", "--json", cwd=folder)
    assert Certificate.from_json(json.loads(made.stdout)).claim == "projection-error"


def test_a_certificate_that_was_touched_is_refused(folder: Path) -> None:
    run("spec.json", "-o", "cert.json", cwd=folder)
    record = json.loads((folder / "cert.json").read_text(encoding="utf-8"))
    record["inputs"]["degree"] = 3
    (folder / "cert.json").write_text(json.dumps(record), encoding="utf-8")
    checked = run("--check", "cert.json", cwd=folder)
    assert checked.returncode == 1
    assert checked.stdout == ""
    assert len(checked.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (SPEC | {"claim": "truth"}, 2, "fisher-information"),
        (SPEC | {"degree": "5"}, 2, "integer"),
        (SPEC | {"mixture": MIXTURE | {"weights": [0.5, 0.5]}}, 2, '"1/3"'),
        (SPEC | {"colour": "red"}, 2, "colour"),
        (
            {
                "claim": "fisher-information",
                "mixture": {
                    "weights": ["1/4"] * 4,
                    "means": [[0] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1]],
                    "covariances": [
                        [[int(i == j) * (1 + c) for j in range(3)] for i in range(3)]
                        for c in range(4)
                    ],
                },
            },
            1,
            "covers",
        ),
    ],
)
def test_what_cannot_be_certified_is_one_line(folder: Path, content, status, words) -> None:
    (folder / "spec.json").write_text(json.dumps(content), encoding="utf-8")
    found = run("spec.json", "-o", "cert.json", cwd=folder)
    assert found.returncode == status
    assert words in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not (folder / "cert.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("absent.json",),
        ("--check", "spec.json"),
        ("--check", "spec.json", "-o", "x.json"),
        ("spec.json", "-o", "no/such/folder/cert.json"),
    ],
)
def test_wrong_use(folder: Path, words) -> None:
    found = run(*words, cwd=folder)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr


def test_a_certificate_in_the_place_of_a_specification_is_explained(folder: Path) -> None:
    run("spec.json", "-o", "cert.json", cwd=folder)
    found = run("cert.json", cwd=folder)
    assert found.returncode == 2
    assert "--check" in found.stderr
