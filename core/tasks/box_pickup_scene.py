"""Scene and numbers of the box pick-up (no torch): floor, table and one box."""

from dataclasses import dataclass, field

from core.ranges import Range, check_ranges
from core.tasks.scene import BoxObject, Scene

BOX = "box"
TABLE = "table"
PEDESTAL = "table_pedestal"


@dataclass(frozen=True)
class BoxPickupScene:
    """Geometry that does not change between episodes; the box's numbers here are those of the drawn, nominal one."""

    table_top_m: float = 0.52
    "height of the table's surface"
    table_size_m: tuple[float, float] = (0.40, 0.90)
    "table top: depth (x) and width (y)"
    table_thickness_m: float = 0.04
    "thickness of the table top"
    pedestal_size_m: tuple[float, float] = (0.16, 0.60)
    "what carries the table top, set back so that feet fit under the edge"
    box_xy_m: tuple[float, float] = (1.45, 0.0)
    "where the middle of the box's start area is"
    edge_to_box_m: float = 0.17
    "from the table's near edge to the middle of the start area"
    box_size_m: tuple[float, float, float] = (0.22, 0.30, 0.22)
    "nominal box: depth, width between the palms, height"
    box_mass_kg: float = 0.75
    "nominal box"
    box_friction: float = 0.75
    "nominal box"

    def __post_init__(self) -> None:
        if not self.table_thickness_m < self.table_top_m:
            raise ValueError(f"table_top_m must exceed the thickness {self.table_thickness_m}, got {self.table_top_m}")

    def table_center(self, table_top_m: float) -> tuple[float, float, float]:
        """Centre of the table top's cuboid when its surface is at a height, m."""
        x = self.box_xy_m[0] - self.edge_to_box_m + 0.5 * self.table_size_m[0]
        return (x, self.box_xy_m[1], table_top_m - 0.5 * self.table_thickness_m)


@dataclass(frozen=True)
class BoxPickupRanges:
    """What is drawn at random for each episode (B52), beside the robot's start."""

    box_depth_m: Range = (0.16, 0.30)
    "along the direction in which the robot looks"
    box_width_m: Range = (0.20, 0.38)
    "between the palms"
    box_height_m: Range = (0.16, 0.30)
    "vertical edge"
    box_mass_kg: Range = (0.3, 1.2)
    "mass of the box"
    box_friction: Range = (0.5, 1.0)
    "sliding friction of the box"
    box_shift_x_m: Range = (-0.02, 0.02)
    "box off the middle of the start area, towards and away from the edge"
    box_shift_y_m: Range = (-0.15, 0.15)
    "box off the middle of the start area, along the edge"
    box_yaw_rad: Range = (-0.35, 0.35)
    "box turned relative to the table"
    table_top_m: Range = (0.46, 0.58)
    "height of the table's surface"
    floor_friction: Range = (0.8, 1.1)
    "sliding friction of the feet on the floor"
    arm_joint_noise_rad: float = 0.05
    "uniform noise on head and arm joints at the start"
    leg_joint_noise_rad: float = 0.01
    "uniform noise on waist and leg joints at the start"

    def __post_init__(self) -> None:
        sizes = ("box_depth_m", "box_width_m", "box_height_m", "table_top_m")
        check_ranges(self, positive=(*sizes, "box_mass_kg", "box_friction", "floor_friction"))
        for name in ("arm_joint_noise_rad", "leg_joint_noise_rad"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


def build_scene(geometry: BoxPickupScene | None = None) -> Scene:
    """Floor, robot, table and box as plain data."""
    g = geometry or BoxPickupScene()
    table_x, table_y, table_z = g.table_center(g.table_top_m)
    pedestal_top, sunk = g.table_top_m - g.table_thickness_m, 0.05  # sunk: no gap to the floor under a high table
    wood, steel = (0.55, 0.42, 0.30, 1.0), (0.35, 0.36, 0.38, 1.0)
    objects = (
        BoxObject(TABLE, (*g.table_size_m, g.table_thickness_m), (table_x, table_y, table_z), fixed=True, rgba=wood),
        BoxObject(
            PEDESTAL,
            (*g.pedestal_size_m, pedestal_top + sunk),
            (table_x, table_y, 0.5 * (pedestal_top - sunk)),
            fixed=True,
            rgba=steel,
        ),
        BoxObject(
            BOX,
            g.box_size_m,
            (*g.box_xy_m, g.table_top_m + 0.5 * g.box_size_m[2]),
            mass=g.box_mass_kg,
            friction=g.box_friction,
        ),
    )
    return Scene("box_pickup", objects, description="Walk to the table, squeeze the box between the palms and lift it.")


@dataclass(frozen=True)
class BoxPickupVerdict:
    """Sparse success and failure (the paper gives no predicates, B125)."""

    lift_height_m: float = 0.07
    "the box counts as lifted when its centre is this far above where it rests on the table"
    hold_time_s: float = 1.0
    "all success conditions must hold for this long without a break"
    box_upright_cosine: float = 0.9
    "the box's z axis against the vertical (0.9 is 26 degrees)"
    hand_tolerance_m: float = 0.05
    "how far a palm pad may be off its face, and its centre beyond the edges of the face"
    standing_height_m: float = 0.52
    "trunk origin above the lower sole"
    standing_cosine: float = 0.9
    "trunk's z axis against the vertical"
    fallen_height_m: float = 0.42
    "below this the robot has fallen"
    fallen_cosine: float = 0.6
    "below this the robot has fallen"
    dropped_below_m: float = 0.10
    "the box is lost when its centre is this far below the table's surface"
    time_limit_s: float = 25.0
    "an undecided episode fails then"

    def __post_init__(self) -> None:
        if self.hold_time_s < 0 or self.time_limit_s <= self.hold_time_s:
            raise ValueError(f"0 <= hold_time_s < time_limit_s, got {self.hold_time_s}, {self.time_limit_s}")


@dataclass(frozen=True)
class BoxPickupSettings:
    """Everything that can be chosen about the task, without its start ranges."""

    geometry: BoxPickupScene = field(default_factory=BoxPickupScene)
    "table and nominal box"
    ranges: BoxPickupRanges = field(default_factory=BoxPickupRanges)
    "randomisation"
    verdict: BoxPickupVerdict = field(default_factory=BoxPickupVerdict)
    "success, failure and time limit"
