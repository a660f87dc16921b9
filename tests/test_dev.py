"""./dev ends with one clear line where it cannot go on; no test here makes an environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parents[1] / "dev"
TOOLS = ("sh", "dirname", "date", "cat", "sed", "tr", "ls", "cksum", "grep", "tail", "mkdir", "rm")


@pytest.fixture
def dev(tmp_path):
    """Run ./dev where the only interpreter is a given script called python3."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))

    def run(*arguments, python=None, **variables):
        if python is not None:
            fake = tools / "python3"
            fake.write_text(f"#!/bin/sh\n{python}\n", encoding="utf-8")
            fake.chmod(0o755)
        environment = {
            "PATH": str(tools),
            "HOME": str(tmp_path),
            "PYENV_ROOT": str(tmp_path),
            "SYMSCORE_VENV": str(tmp_path / "venv"),
            **variables,
        }
        return subprocess.run(
            ["sh", str(DEV), *arguments], env=environment, capture_output=True, text=True
        )

    return run


def last_line(run):
    return run.stderr.strip().splitlines()[-1]


def test_help_lists_every_verb(dev):
    run = dev("help")
    assert run.returncode == 0
    for verb in ("setup", "demo", "test", "lint", "bench", "docs", "help"):
        assert f"  {verb} " in run.stdout


@pytest.mark.parametrize("arguments", [(), ("frobnicate",), ("bench", "frobnicate")])
def test_wrong_use_is_status_two(dev, arguments):
    assert dev(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("echo 3.9.18", "Found only Python 3.9.18"),
        ("exit 127", "Found no Python that starts"),
        (
            'case "$2" in *ensurepip*) exit 1 ;; esac; echo 3.12.4',
            "apt-get install python3.12-venv",
        ),
        ('case "$1" in -m) exit 1 ;; esac; echo 3.13.1', "apt-get install python3.13-venv"),
    ],
)
def test_an_unfit_interpreter_is_named_with_the_remedy(dev, tmp_path, python, message):
    run = dev("setup", python=python)
    assert run.returncode == 1
    assert message in last_line(run)
    assert not (tmp_path / "venv").exists()


def test_a_shim_does_not_hide_a_sound_interpreter(dev, tmp_path):
    sound = tmp_path / "versions" / "3.12.4" / "bin" / "python3"
    sound.parent.mkdir(parents=True)
    sound.write_text("#!/bin/sh\necho 3.12.4\n", encoding="utf-8")
    sound.chmod(0o755)
    assert dev("pythons", python="exit 127").stdout == f"3.12.4 {sound}\n"


def test_a_named_interpreter_is_not_replaced_by_another(dev):
    run = dev("setup", python="echo 3.12.4", SYMSCORE_PYTHON="python3.99")
    assert run.returncode == 1
    assert "SYMSCORE_PYTHON=python3.99" in last_line(run)


def test_a_folder_of_other_origin_is_left_alone(dev, tmp_path):
    own = tmp_path / "venv" / "own"
    own.parent.mkdir()
    own.touch()
    run = dev("setup", python="echo 3.12.4")
    assert run.returncode == 1
    assert "was not made by ./dev" in last_line(run)
    assert own.exists()


def test_the_script_is_executable():
    assert os.access(DEV, os.X_OK)
