"""Which OpenXR runtimes this computer has and which is active, from the files that the OpenXR loader reads."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RuntimeFile:
    """A runtime's manifest."""

    path: str
    name: str


STEAM = ".local/share/Steam/steamapps/common/SteamVR/steamxr_linux64.json"
FLATPAK_WIVRN = ".var/app/io.github.wivrn.wivrn/config/openxr/1/active_runtime.json"


def active_runtime(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> RuntimeFile | None:
    """The runtime that an application gets now; None where none is active. `root` stands for / in the tests."""
    environment = os.environ if environment is None else environment
    chosen = environment.get("XR_RUNTIME_JSON")
    if chosen:
        return _read(Path(chosen)) or RuntimeFile(chosen, "unreadable (XR_RUNTIME_JSON)")
    for folder in _config_folders(environment, root):
        found = _read(folder / "openxr/1/active_runtime.json")
        if found is not None:
            return found
    return None


def installed_runtimes(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> list[RuntimeFile]:
    """Every runtime whose manifest is where packages put it, active or not."""
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME", str(root / "root")))
    files = [home / STEAM, home / FLATPAK_WIVRN]
    for folder in (root / "usr/share/openxr/1", root / "usr/local/share/openxr/1", home / ".local/share/openxr/1"):
        files += sorted(folder.glob("*.json")) if folder.is_dir() else []
    found = [_read(file) for file in files]
    return [runtime for runtime in found if runtime is not None]


def _config_folders(environment: Mapping[str, str], root: Path) -> list[Path]:
    """In the order in which the loader looks (OpenXR loader specification, 'Linux active runtime location')."""
    home = Path(environment.get("HOME", str(root / "root")))
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    shared = environment.get("XDG_CONFIG_DIRS") or str(root / "etc/xdg")
    return [own, *map(Path, shared.split(":")), root / "etc", root / "usr/local/etc"]


def _read(path: Path) -> RuntimeFile | None:
    try:
        runtime = json.loads(path.read_text(encoding="utf-8"))["runtime"]
        name = runtime.get("name") or Path(runtime["library_path"]).stem
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return RuntimeFile(str(path), str(name))
