"""Draws clips with MuJoCo: a short film and a strip of pictures, in a process of its own.

OpenGL comes from a vendor's library that can end a process, and it has to be chosen before MuJoCo is imported.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from core.backends.mujoco_layout import build_layout
from core.backends.mujoco_scene import compile_scene
from core.backends.mujoco_worlds import BatchedWorlds
from core.tasks.scene import Scene
from trainer.report.clips import Clip
from trainer.typed_json import to_json

GL_KINDS = ("egl", "osmesa")
TIME_LIMIT_S = 300.0


@dataclass(frozen=True)
class Film:
    """Pictures of one episode."""

    caption: str
    animation: bytes
    "animated WebP"
    strip: bytes
    "WebP: a few instants side by side"


def draw(clip: Clip, scene: Scene) -> Film | str:
    """The film of a clip, or one line that says why there is none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_order(clip, scene, folder / "order.safetensors")
        problems = []
        for kind in _gl_kinds():
            problem = _run(folder, kind)
            if not problem:
                return Film(caption(clip), (folder / "film.webp").read_bytes(), (folder / "strip.webp").read_bytes())
            problems.append(f"{kind}: {problem}")
    return "no film: this machine has no OpenGL without a display (" + "; ".join(problems) + ")"


def caption(clip: Clip) -> str:
    """What the film shows."""
    return f"seed {clip.seed}: {clip.reason} after {clip.duration_s:.1f} s"


def _gl_kinds() -> tuple[str, ...]:
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    return (chosen,) if chosen else GL_KINDS


def _write_order(clip: Clip, scene: Scene, path: Path) -> None:
    arrays = {"qpos": joint_positions(clip, scene)}
    arrays |= {f"size/{name}": size.numpy().astype(np.float64) for name, size in clip.object_size.items()}
    arrays |= {f"place/{name}": place.numpy().astype(np.float64) for name, place in clip.fixed_object_pos.items()}
    save_file(arrays, path, {"scene": json.dumps(to_json(scene))})


def joint_positions(clip: Clip, scene: Scene) -> np.ndarray:
    """(T, nq) MuJoCo's qpos of every frame, written by the backend's own code."""
    model = compile_scene(scene, lean=True)
    worlds = BatchedWorlds(model, build_layout(model, scene), scene, 1, 1)
    rows = []
    for t in range(len(clip.states.base_pos_w)):
        worlds.write_state(np.array([0]), clip.states.select(torch.tensor([t])))
        rows.append(worlds.qpos[0].copy())
    return np.stack(rows)


def _run(folder: Path, kind: str) -> str:
    """'' when it was drawn, else the last line of what went wrong."""
    command = [sys.executable, "-m", "trainer.report.draw_film", str(folder)]
    environment = {**os.environ, "MUJOCO_GL": kind}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not drawn within {TIME_LIMIT_S:.0f} s"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.strip().splitlines() if "Error" in line]
    return lines[-1].strip() if lines else f"ended with status {done.returncode}"
