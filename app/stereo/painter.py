"""Draws the scene for one eye with MuJoCo into its offscreen buffer, and copies that into a texture of the runtime."""

# mujoco and PyOpenGL have no stubs: pyright sees none of their names
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
from OpenGL import GL

from app.scene_pose import PoseWriter, ScenePose
from app.stereo.eyes import FAR_M, NEAR_M, EyeCamera
from app.widgets.ghosts import add_ghosts
from core.backends.mujoco_scene import compile_scene
from core.tasks.scene import Scene

MAX_GEOMS = 4000


class Painter:
    """Needs a current OpenGL context with the fixed pipeline."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._model = compile_scene(scene)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        self._data = mujoco.MjData(self._model)
        self._writer = PoseWriter(self._model)
        self._scene = mujoco.MjvScene(self._model, maxgeom=MAX_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._target = int(GL.glGenFramebuffers(1))

    def show(self, pose: ScenePose) -> None:
        """The robot and the objects of the next pictures."""
        self._writer.write(self._data, pose)
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            self._model, self._data, self._option, mujoco.MjvPerturb(), self._camera, everything, self._scene
        )
        add_ghosts(self._scene, pose.ghosts)

    def draw(self, eye: EyeCamera) -> None:
        """One eye into the offscreen buffer. Both cameras are set: MuJoCo draws mono pictures between the two."""
        for camera in self._scene.camera:
            camera.pos[:], camera.forward[:], camera.up[:] = eye.pos, eye.forward, eye.up
            camera.frustum_center, camera.frustum_width = eye.frustum.center, eye.frustum.half_width
            camera.frustum_bottom, camera.frustum_top = eye.frustum.bottom, eye.frustum.top
            camera.frustum_near, camera.frustum_far = NEAR_M, FAR_M
        mujoco.mjr_render(self._viewport(), self._scene, self._context)

    def copy_to(self, texture: int) -> None:
        """The picture just drawn, into a texture of the same size."""
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._resolved())
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._target)
        GL.glFramebufferTexture2D(GL.GL_DRAW_FRAMEBUFFER, GL.GL_COLOR_ATTACHMENT0, GL.GL_TEXTURE_2D, texture, 0)
        size = (0, 0, self.width, self.height)
        GL.glBlitFramebuffer(*size, *size, GL.GL_COLOR_BUFFER_BIT, GL.GL_NEAREST)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._context.offFBO)
        GL.glFlush()

    def _resolved(self) -> int:
        """MuJoCo smooths edges in a multisampled buffer, which has to be resolved first."""
        if not self._context.offSamples:
            return self._context.offFBO
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._context.offFBO)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._context.offFBO_r)
        size = (0, 0, self.width, self.height)
        GL.glBlitFramebuffer(*size, *size, GL.GL_COLOR_BUFFER_BIT, GL.GL_NEAREST)
        return self._context.offFBO_r

    def pixels(self) -> np.ndarray:
        """(height, width, 3) uint8 of the picture just drawn, top row first."""
        image = np.empty((self.height, self.width, 3), np.uint8)
        mujoco.mjr_readPixels(image, None, self._viewport(), self._context)
        return image[::-1].copy()

    def _viewport(self) -> mujoco.MjrRect:
        return mujoco.MjrRect(0, 0, self.width, self.height)

    def close(self) -> None:
        """Release what the graphics card holds."""
        self._context.free()
