"""Writes the visual body into the MJCF: materials, shells, and mass-free geoms that touch nothing."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from core.t1.collision import mirror_link
from core.t1.shells import Loft, Rounded
from core.t1.visuals import LEFT_PARTS, MATERIALS, MIDDLE_PARTS, SHELLS, Part

_HALF = 0.7071067811865476
AXIS_QUAT = {
    ("z", "left"): None,
    ("z", "right"): None,
    ("x", "left"): (_HALF, 0.0, _HALF, 0.0),
    ("x", "right"): (_HALF, 0.0, _HALF, 0.0),
    ("y", "left"): (_HALF, -_HALF, 0.0, 0.0),
    ("y", "right"): (_HALF, _HALF, 0.0, 0.0),
}
"""(axis, side) to the rotation that lays a part's z axis along a link axis; y points away from the body."""


def short(values: Iterable[float]) -> str:
    """Numbers to a tenth of a millimetre, enough for the eye."""
    return " ".join(f"{round(float(value), 4) + 0.0:g}" for value in values)


def add_visual_assets(root: ET.Element) -> None:
    asset = ET.SubElement(root, "asset")
    for name, attributes in MATERIALS.items():
        ET.SubElement(asset, "material", {"name": name, **attributes})
    for item in SHELLS:
        match item:
            case Loft():
                vertices = short(item.vertices().ravel())
                ET.SubElement(asset, "mesh", name=item.name, smoothnormal="true", vertex=vertices)
            case Rounded():
                params = f"{item.resolution} {short((item.around, item.along))}"
                ET.SubElement(
                    asset, "mesh", name=item.name, builtin="supersphere", params=params, scale=short(item.half_size)
                )


def add_visual(body: ET.Element, part: Part, side: str) -> None:
    attributes = {"class": "visual", "type": "mesh" if part.kind == "shell" else part.kind, "material": part.material}
    if part.kind == "shell":
        attributes["mesh"] = part.shell
    else:
        attributes["size"] = short(part.size)
    if any(part.pos):
        attributes["pos"] = short(part.pos)
    quat = AXIS_QUAT[part.axis, side]
    if quat is not None:
        attributes["quat"] = short(quat)
    ET.SubElement(body, "geom", attributes)


def _mirrored(part: Part) -> Part:
    pos = (part.pos[0], -part.pos[1], part.pos[2])
    return Part(mirror_link(part.link), part.material, part.kind, part.size, pos, part.axis, part.shell)


def add_visuals(body: ET.Element, link: str) -> None:
    """All visual geoms of a link (fingers excepted)."""
    for part in (*MIDDLE_PARTS, *LEFT_PARTS):
        if part.link == link:
            add_visual(body, part, "left")
    for part in map(_mirrored, LEFT_PARTS):
        if part.link == link:
            add_visual(body, part, "right")
