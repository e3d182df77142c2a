"""Writes assets/t1/t1.xml from the facts: `python -m core.t1.build_mjcf`."""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable

import numpy as np

from core.t1 import gripper
from core.t1.collision import COLLISION_SHAPES, FINGER_HALF_SIZE_M, GRASP_POS_LEFT_M, Group, Shape, contact_masks
from core.t1.facts import JOINTS, LINKS, Joint, Link
from core.t1.gripper import MassProperties
from core.t1.mjcf import MJCF_PATH
from core.t1.model import (
    DEFAULT_BASE_HEIGHT_M,
    FOOT_LINKS,
    GRIPPER_MAX_OPENING_M,
    HAND_FRAME_OFFSET_M,
    HAND_LINKS,
    SIDES,
    SOLE_Z_M,
)
from core.t1.visual_mjcf import add_visual, add_visual_assets, add_visuals
from core.t1.visuals import finger_parts

HEADER = " Booster T1, 29 joints. Written by `python -m core.t1.build_mjcf` from core/t1: do not edit by hand. "
LINK_BY_NAME = {link.name: link for link in LINKS}
HAND_XYAXES = {"left": "0 1 0 0 0 1", "right": "0 -1 0 0 0 -1"}
"""x and y axes of the hand frame in hand_link axes: fingers forward, then up to the back of the hand."""


def number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    return repr(round(float(value), 15) + 0.0).removesuffix(".0")


def numbers(values: Iterable[float]) -> str:
    return " ".join(number(value) for value in values)


def quat_of_rpy(rpy: tuple[float, float, float]) -> np.ndarray:
    """Fixed-axis roll, pitch, yaw to wxyz."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.array(rpy) / 2), np.sin(np.array(rpy) / 2)
    return np.array(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )


def side_of(name: str) -> str:
    """left or right, from a link, joint or geom name ('left' for the middle)."""
    return "right" if name.startswith("AR") or "right" in name.lower() else "left"


def add_inertial(body: ET.Element, properties: MassProperties) -> None:
    i = properties.inertia
    full = (i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2])
    ET.SubElement(
        body, "inertial", pos=numbers(properties.com), mass=number(properties.mass), fullinertia=numbers(full)
    )


def add_joint(body: ET.Element, joint: Joint) -> None:
    ET.SubElement(
        body,
        "joint",
        name=joint.name,
        axis=numbers(joint.axis),
        range=numbers((joint.lower, joint.upper)),
        armature=number(joint.armature),
    )


def collision_geom(name: str, group: Group) -> dict[str, str]:
    contype, conaffinity = contact_masks(group, left=side_of(name) == "left")
    return {"name": f"{name}_collision", "class": "collision", "contype": str(contype), "conaffinity": str(conaffinity)}


def add_collision(body: ET.Element, shape: Shape) -> None:
    attributes = {**collision_geom(shape.name, shape.group), "type": shape.kind, "size": numbers(shape.size)}
    if shape.ends is None:
        attributes["pos"] = numbers(shape.pos)
    else:
        attributes["fromto"] = numbers((*shape.ends[0], *shape.ends[1]))
    ET.SubElement(body, "geom", attributes)


def add_fingers(hand: ET.Element, side: str) -> None:
    """Two fingers that slide apart along hand_link x; joint position = half the opening."""
    for finger in (1, 2):
        name = f"{side}_finger_{finger}"
        closed = gripper.finger_centre(side, finger, opening=0.0)
        body = ET.SubElement(hand, "body", name=name, pos=numbers(closed))
        box = MassProperties.of_box(gripper.FINGER_MASS_KG, gripper.FINGER_SIZE_M, np.zeros(3))
        add_inertial(body, box)
        axis = "1 0 0" if finger == 1 else "-1 0 0"
        ET.SubElement(body, "joint", {"name": name, "class": "finger", "axis": axis})
        geom = {**collision_geom(name, "arm"), "type": "box", "size": numbers(FINGER_HALF_SIZE_M)}
        ET.SubElement(body, "geom", geom)
        for part in finger_parts(side, finger):
            add_visual(body, part, side)


def add_hand_parts(body: ET.Element, side: str) -> None:
    sign = 1.0 if side == "left" else -1.0
    axes = HAND_XYAXES[side]
    ET.SubElement(
        body, "site", name=f"{side}_hand", pos=numbers((0.0, sign * HAND_FRAME_OFFSET_M[0], 0.0)), xyaxes=axes
    )
    x, y, z = GRASP_POS_LEFT_M
    ET.SubElement(body, "site", name=f"{side}_grasp", pos=numbers((x, sign * y, z)), xyaxes=axes)
    add_fingers(body, side)


def add_link(parent: ET.Element, link: Link, joint: Joint | None) -> None:
    """A body with its joint, inertia, geoms, sites, and the links below it."""
    pos = joint.pos if joint else (0.0, 0.0, DEFAULT_BASE_HEIGHT_M)
    body = ET.SubElement(parent, "body", name=link.name, pos=numbers(pos))
    if joint is None:
        ET.SubElement(body, "freejoint", name="base_free")
    else:
        if any(joint.rpy):
            body.set("quat", numbers(quat_of_rpy(joint.rpy)))
        add_joint(body, joint)
    is_hand = link.name in HAND_LINKS
    add_inertial(body, gripper.palm_properties(link, side_of(link.name)) if is_hand else MassProperties.of_link(link))
    for shape in COLLISION_SHAPES:
        if shape.link == link.name:
            add_collision(body, shape)
    add_visuals(body, link.name)
    if joint is None:
        ET.SubElement(body, "site", name="imu")
    if link.name in FOOT_LINKS:
        ET.SubElement(body, "site", name=f"{side_of(link.name)}_foot", pos=numbers((0.0, 0.0, SOLE_Z_M)))
    if is_hand:
        add_hand_parts(body, side_of(link.name))
    for child in JOINTS:
        if child.parent == link.name:
            add_link(body, LINK_BY_NAME[child.child], child)


def add_defaults(root: ET.Element) -> None:
    default = ET.SubElement(root, "default")
    ET.SubElement(default, "site", group="4", size="0.01")
    visual = ET.SubElement(default, "default", {"class": "visual"})
    ET.SubElement(visual, "geom", group="2", mass="0", contype="0", conaffinity="0")
    collision = ET.SubElement(default, "default", {"class": "collision"})
    ET.SubElement(collision, "geom", group="3", mass="0", condim="3", friction="1 0.005 0.0001", rgba="0.9 0.5 0.2 0.4")
    finger = ET.SubElement(default, "default", {"class": "finger"})
    half = number(0.5 * GRIPPER_MAX_OPENING_M)
    ET.SubElement(
        finger,
        "joint",
        type="slide",
        range=f"0 {half}",
        armature=number(gripper.FINGER_ARMATURE_KG),
        damping=number(gripper.FINGER_DAMPING),
    )


def add_drives(root: ET.Element) -> None:
    """One position servo per joint, one per gripper (on the opening = sum of the two finger positions)."""
    tendon = ET.SubElement(root, "tendon")
    equality = ET.SubElement(root, "equality")
    actuator = ET.SubElement(root, "actuator")
    for joint in JOINTS:
        ET.SubElement(
            actuator,
            "position",
            name=joint.name,
            joint=joint.name,
            kp=number(joint.kp),
            kv=number(joint.kd),
            forcerange=numbers((-joint.effort, joint.effort)),
        )
    for side in SIDES:
        fixed = ET.SubElement(tendon, "fixed", name=f"{side}_opening")
        for finger in (1, 2):
            ET.SubElement(fixed, "joint", joint=f"{side}_finger_{finger}", coef="1")
        ET.SubElement(equality, "joint", name=f"{side}_fingers", joint1=f"{side}_finger_1", joint2=f"{side}_finger_2")
        ET.SubElement(
            actuator,
            "position",
            name=f"{side}_gripper",
            tendon=f"{side}_opening",
            kp=number(gripper.GRIPPER_KP),
            ctrlrange=numbers((0.0, GRIPPER_MAX_OPENING_M)),
            forcerange=numbers((-gripper.GRIPPER_FORCE_N, gripper.GRIPPER_FORCE_N)),
        )


def add_sensors(root: ET.Element) -> None:
    sensor = ET.SubElement(root, "sensor")
    ET.SubElement(sensor, "gyro", name="gyro", site="imu")
    ET.SubElement(sensor, "accelerometer", name="accelerometer", site="imu")
    for part, links in (("foot", FOOT_LINKS), ("hand", HAND_LINKS)):
        for side, link in zip(SIDES, links):
            ET.SubElement(
                sensor, "contact", name=f"{side}_{part}_force", subtree2=link, reduce="netforce", data="force"
            )


def build() -> str:
    """The MJCF text."""
    root = ET.Element("mujoco", model="t1")
    ET.SubElement(root, "compiler", angle="radian", autolimits="true")
    ET.SubElement(root, "option", timestep="0.005", integrator="implicitfast", iterations="50", ls_iterations="30")
    add_defaults(root)
    add_visual_assets(root)
    worldbody = ET.SubElement(root, "worldbody")
    add_link(worldbody, LINK_BY_NAME["Trunk"], None)
    add_drives(root)
    add_sensors(root)
    ET.indent(root)
    return f"<!--{HEADER}-->\n{ET.tostring(root, encoding='unicode')}\n"


def main() -> int:
    MJCF_PATH.parent.mkdir(parents=True, exist_ok=True)
    MJCF_PATH.write_text(build())
    sys.stdout.write(f"wrote {MJCF_PATH}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
