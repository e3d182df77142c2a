"""The plain-float mathematics is that of core.rigid; samples survive their bytes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core import rigid
from core.teleop.poses import Pose, about_z, angle_between, from_openxr, inverse, mul, rotate, to_openxr, yaw_of
from core.teleop.xr_sample import SAMPLE_BYTES, TRACKED, Button, SampleError, XrHand, XrSample, pack, unpack

coordinate = st.floats(-3.0, 3.0, width=32)
vectors = st.tuples(coordinate, coordinate, coordinate)
quats = (
    st.tuples(coordinate, coordinate, coordinate, coordinate)
    .filter(lambda q: math.hypot(*q) > 0.1)
    .map(lambda q: tuple(v / math.hypot(*q) for v in q))
)


@given(quats, quats, vectors)
def test_that_it_agrees_with_the_batched_mathematics(a, b, v):
    ta, tb, tv = (torch.tensor(x, dtype=torch.float64) for x in (a, b, v))
    assert mul(a, b) == pytest.approx(rigid.quat_mul(ta, tb).tolist(), abs=1e-9)
    assert rotate(a, v) == pytest.approx(rigid.quat_rotate(ta, tv).tolist(), abs=1e-9)
    assert inverse(a) == pytest.approx(rigid.quat_inv(ta).tolist())
    assert angle_between(a, b) == pytest.approx(float(rigid.rotation_error(ta, tb).norm()), abs=1e-6)
    assert math.cos(yaw_of(a) - float(rigid.yaw_of(ta))) == pytest.approx(1.0)


@given(vectors, quats)
def test_that_the_axes_of_openxr_are_converted_and_back(pos, quat):
    pose = Pose(pos, quat)
    back = from_openxr(*to_openxr(pose))
    assert back.pos == pytest.approx(pose.pos)
    assert back.quat == pytest.approx(pose.quat)


def test_that_forward_left_and_up_are_where_openxr_has_them():
    assert from_openxr((0.0, 0.0, -1.0), (0.0, 0.0, 0.0, 1.0)) == Pose((1.0, 0.0, 0.0))
    assert from_openxr((-1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)).pos == (0.0, 1.0, 0.0)
    assert from_openxr((0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)).pos == (0.0, 0.0, 1.0)
    # a turn to the left about OpenXR's vertical (y) is one about ours (z)
    half = math.sqrt(0.5)
    assert from_openxr((0.0, 0.0, 0.0), (0.0, half, 0.0, half)).quat == pytest.approx(about_z(math.pi / 2))


@given(vectors, quats, st.floats(0, 1, width=32), st.integers(0, 2**40), st.floats(0, 1e6))
def test_that_a_sample_survives_its_bytes(pos, quat, squeeze, sequence, time_s):
    hand = XrHand(
        TRACKED, Button.STICK | Button.PRIMARY, Pose(pos, quat), Pose(pos, quat), pos, pos, 0.25, squeeze, (-1.0, 0.5)
    )
    sample = XrSample(sequence, time_s, True, 3, TRACKED, Pose(pos, quat), XrHand(), hand)
    data = pack(sample)
    assert len(data) == SAMPLE_BYTES
    back = unpack(data)
    assert (back.sequence, back.time_s, back.focused, back.recentres) == (sequence, time_s, True, 3)
    assert back.right.grip.pos == pos
    assert back.right.grip.quat == pytest.approx(quat, abs=1e-7)
    assert (back.right.buttons, back.right.squeeze, back.right.stick) == (hand.buttons, squeeze, (-1.0, 0.5))
    assert unpack(pack(back)) == back


@pytest.mark.parametrize("data", [b"", b"XRS1", b"x" * SAMPLE_BYTES], ids=["empty", "short", "foreign"])
def test_that_other_bytes_are_refused(data):
    with pytest.raises(SampleError, match=f"a sample has {SAMPLE_BYTES} and begins with"):
        unpack(data)
