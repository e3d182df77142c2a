"""Finger joints of an OpenXR session (XR_EXT_hand_tracking), where the runtime has them. In the input process only."""

# pyopenxr's wrappers take and give ctypes that its annotations do not describe
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

import contextlib
import ctypes
from typing import Any

import xr

from core.teleop.openxr_poses import flags_of, pose_of
from core.teleop.xr_joints import JOINTS, Joints, XrJoints
from core.teleop.xr_sample import Flag

HAND_TRACKING = "XR_EXT_hand_tracking"


class FingerTrackers:
    """One tracker a hand."""

    def __init__(self, trackers: list[Any]) -> None:
        self._trackers = trackers
        # pyopenxr's own wrapper gives the runtime no room for the joints
        self._locate = ctypes.cast(
            xr.get_instance_proc_addr(trackers[0].instance, "xrLocateHandJointsEXT"), xr.PFN_xrLocateHandJointsEXT
        )
        self._rooms = [(xr.HandJointLocationEXT * JOINTS)() for _ in trackers]

    @classmethod
    def open(cls, session: Any) -> "FingerTrackers | None":
        """None where the runtime knows the extension and the headset has no cameras for it."""
        try:
            return cls(
                [
                    xr.create_hand_tracker_ext(session, xr.HandTrackerCreateInfoEXT(hand=hand))
                    for hand in (xr.HandEXT.LEFT, xr.HandEXT.RIGHT)
                ]
            )
        except (xr.exception.FeatureUnsupportedError, xr.exception.FunctionUnsupportedError):
            return None

    def locate(self, floor: Any, moment: xr.Time, time_s: float) -> XrJoints | None:
        """Both hands at a moment; None while neither is seen."""
        left, right = (self._hand(side, floor, moment) for side in (0, 1))
        return XrJoints(time_s, left, right) if left is not None or right is not None else None

    def _hand(self, side: int, floor: Any, moment: xr.Time) -> Joints | None:
        room = self._rooms[side]
        found = xr.HandJointLocationsEXT()
        found.joint_count = JOINTS
        found._joint_locations = ctypes.cast(room, ctypes.POINTER(xr.HandJointLocationEXT))
        asked = xr.HandJointsLocateInfoEXT(base_space=floor, time=moment)
        result = xr.check_result(self._locate(self._trackers[side], asked, ctypes.byref(found)))
        if result.is_exception():
            raise result
        if not found.is_active or not all(Flag.VALID in flags_of(int(joint.location_flags)) for joint in room):
            return None
        return tuple(pose_of(joint.pose) for joint in room)

    def close(self) -> None:
        """Before the session ends; a runtime that is gone already is no error."""
        for tracker in self._trackers:
            with contextlib.suppress(xr.exception.XrException):
                xr.destroy_hand_tracker_ext(tracker)
