"""The process that draws a film: reads order.safetensors in a folder, writes film.webp and strip.webp beside it."""
# pyright: reportAttributeAccessIssue=false

import json
import sys
from pathlib import Path

import mujoco
import numpy as np
from PIL import Image
from safetensors import safe_open

from core.backends.mujoco_scene import compile_scene
from core.tasks.scene import Scene
from trainer.typed_json import from_json

WIDTH, HEIGHT = 360, 270
FRAME_MS = 100
"""Frames are 0.3 s apart and shown for 0.1 s: three times as fast as it was."""
LAST_FRAME_MS = 1500
STRIP_FRAMES = 6
QUALITY = 55
AZIMUTH_DEG, ELEVATION_DEG, DISTANCE_M, LOOK_AHEAD_M, LOOK_HEIGHT_M = 115.0, -16.0, 2.6, 0.3, 0.62


def main(folder: Path) -> int:
    """Draw and write. Returns 0."""
    with safe_open(folder / "order.safetensors", "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        scene = from_json(Scene, json.loads(file.metadata()["scene"]))
    model = compile_scene(scene)
    place(model, arrays)
    frames = [Image.fromarray(frame) for frame in pictures(model, arrays["qpos"])]
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    frames[0].save(
        folder / "film.webp",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        quality=QUALITY,
        method=2,
    )
    strip(frames).save(folder / "strip.webp", quality=QUALITY)
    return 0


def place(model: mujoco.MjModel, arrays: dict[str, np.ndarray]) -> None:
    """Sizes and places of the objects in this episode."""
    for name, value in arrays.items():
        kind, _, thing = name.partition("/")
        if kind == "size":
            model.geom(thing).size[:] = 0.5 * value
        elif kind == "place":
            model.body(thing).pos[:] = value


def pictures(model: mujoco.MjModel, qpos: np.ndarray) -> list[np.ndarray]:
    """(H, W, 3) uint8 for every row, the camera beside the robot."""
    data = mujoco.MjData(model)
    trunk = model.body("Trunk").id
    camera, option = mujoco.MjvCamera(), mujoco.MjvOption()
    option.geomgroup[3:] = 0  # collision shapes
    camera.azimuth, camera.elevation, camera.distance = AZIMUTH_DEG, ELEVATION_DEG, DISTANCE_M
    frames = []
    with mujoco.Renderer(model, HEIGHT, WIDTH) as renderer:
        for row in qpos:
            data.qpos[:] = row
            mujoco.mj_forward(model, data)
            x, y, _ = data.xpos[trunk]
            camera.lookat[:] = (x + LOOK_AHEAD_M, y, LOOK_HEIGHT_M)
            renderer.update_scene(data, camera, option)
            frames.append(renderer.render().copy())
    return frames


def strip(frames: list[Image.Image]) -> Image.Image:
    """Some instants at equal distances, the first and the last among them, at half size."""
    chosen = [frames[round(i)] for i in np.linspace(0, len(frames) - 1, min(STRIP_FRAMES, len(frames)))]
    width, height = WIDTH // 2, HEIGHT // 2
    sheet = Image.new("RGB", (width * len(chosen), height))
    for i, frame in enumerate(chosen):
        sheet.paste(frame.resize((width, height)), (i * width, 0))
    return sheet


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
