"""The rules that hold everywhere: who imports whom, no pickle, light repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [path for folder in ("app", "core", "trainer") for path in (ROOT / folder).rglob("*.py")]


def _tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).exists()]


def test_that_imports_go_from_app_to_trainer_to_core() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "torch" in sys.modules:
        sys.exit(f"{name} imports torch")
"""


def _modules(folder: str) -> list[str]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


@pytest.mark.parametrize(
    "modules", [["trainer.cli"], ["trainer.session.client"], ["core.data.dataset"], _modules("app")], ids=lambda m: m[0]
)
def test_that_it_imports_without_torch(modules: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_that_the_window_has_modules_to_look_at() -> None:
    assert {"app", "app.main", "app.main_window", "app.panels.session"} <= set(_modules("app"))


def test_that_nothing_unpickles() -> None:
    forbidden = re.compile(
        r"pickle\.loads?\(|import pickle|(?<!safetensors\.)torch\.load\(|allow_pickle=True|joblib\.load\(|\.recv\(\)"
    )
    found = [str(path) for path in SOURCES if forbidden.search(path.read_text())]
    assert not found


def test_that_the_repository_stays_light() -> None:
    files = [path for path in _tracked_files() if path.is_file()]
    most = {".safetensors": 8e6}  # a fine-tuned planner holds two networks
    heavy = [str(path) for path in files if path.stat().st_size > most.get(path.suffix, 4 * 2**20)]
    weights = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
    recorded = [str(path) for path in files if path.suffix in {".hdf5", ".h5", ".mp4", ".log"}]
    assert not heavy
    assert not recorded
    assert weights < 30e6


def test_that_only_one_module_imports_the_robots_sdk() -> None:
    imports = re.compile(r"import booster_robotics_sdk|from booster_robotics_sdk|import_module\(.booster")
    found = [path.name for path in SOURCES if imports.search(path.read_text())]
    assert found == ["sdk.py"]


def test_that_the_robots_processes_start_without_torch() -> None:
    code = "import sys, core.robot.agent.process, core.robot.deadman; sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
