"""Poses as an OpenXR runtime gives them, as ours. Runs in the input process only."""

# pyopenxr's wrappers take and give ctypes that its annotations do not describe
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

from typing import Any

import xr

from core.teleop.poses import ORIGIN, Pose, from_openxr
from core.teleop.samples import ZERO, Vector3
from core.teleop.xr_sample import NOTHING, Flag

VALID = xr.SpaceLocationFlags.POSITION_VALID_BIT | xr.SpaceLocationFlags.ORIENTATION_VALID_BIT
TRACKED = xr.SpaceLocationFlags.POSITION_TRACKED_BIT | xr.SpaceLocationFlags.ORIENTATION_TRACKED_BIT


def located(space: Any, base: Any, moment: xr.Time) -> tuple[Pose, Flag, tuple[Vector3, Vector3]]:
    """Pose of a space in another one, what is true of it, and its velocities (m/s, rad/s)."""
    location, velocity = xr.locate_space_with_velocity(space, base, moment)
    flags = flags_of(location.location_flags)
    if Flag.VALID not in flags:
        return ORIGIN, flags, (ZERO, ZERO)
    v, w = velocity.linear_velocity, velocity.angular_velocity
    return pose_of(location.pose), flags, ((-v.z, -v.x, v.y), (-w.z, -w.x, w.y))


def flags_of(location_flags: int) -> Flag:
    """Whether a pose means something, and whether it is measured."""
    flags = NOTHING
    if location_flags & VALID == VALID:
        flags |= Flag.VALID
    if location_flags & TRACKED == TRACKED:
        flags |= Flag.TRACKED
    return flags


def pose_of(pose: Any) -> Pose:
    """An XrPosef."""
    p, q = pose.position, pose.orientation
    return from_openxr((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
