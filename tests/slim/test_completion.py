"""Completion in a shell: the script is installed by one command, and a real bash completes with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_helpers import edgelstm_here

from edgelstm.cli.completion import FILES, install_script, source

BASH = shutil.which("bash")


@pytest.mark.parametrize("shell", FILES)
def test_a_script_is_printed_and_installed_for_the_user(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    printed = edgelstm_here("completion", shell).stdout
    done = edgelstm_here("completion", shell, "--install")

    assert (tmp_path / FILES[shell]).read_text() == printed
    assert str(tmp_path / FILES[shell]) in done.stderr


def test_the_profile_of_zsh_is_told_once(tmp_path):
    for _ in range(2):
        install_script("zsh", source("zsh"), tmp_path)

    assert (tmp_path / ".zshrc").read_text().count("fpath=") == 1


@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("tra", "train"),
        ("convert m.keras --sche", "--scheme"),
        ("train inte", "intents"),
        ("train --lookb", "--lookback"),
    ],
)
def test_bash_completes_commands_and_options(words, wanted, tmp_path):
    (tmp_path / "script").write_text(source("bash"))
    line = ["edgelstm", *words.split()]
    code = (
        f"source ./script; COMP_WORDS=({' '.join(line)}); COMP_CWORD={len(line) - 1}; "
        "_edgelstm_completion edgelstm; echo ${COMPREPLY[@]}"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(BASH), "-c", code], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PATH": path}
    )

    assert wanted in done.stdout.split(), done.stderr
