"""NatNet messages: what is written is read again, other sections are skipped, garbage is refused and nothing else."""

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.mocap.frame import y_up, z_up
from core.mocap.natnet import decode, encode
from core.mocap.natnet.decode import BodyPose, ServerInfo
from core.mocap.natnet.wire import PacketError, Version, split

VERSIONS = ("3.0", "3.1", "4.0", "4.1", "4.2")
BODIES = (
    BodyPose(1, (0.5, -1.0, 0.25), (0.0, 0.0, 0.6, 0.8), 0.5, True),
    BodyPose(7, (1.5, 2.0, 3.0), (1.0, 0.0, 0.0, 0.0), 0.0, False),
)


def version(text: str) -> Version:
    return Version(*map(int, text.split(".")))


@pytest.mark.parametrize("text", VERSIONS)
def test_that_frames_are_read_as_they_were_written(text: str) -> None:
    _, payload = split(encode.frame(42, BODIES, (10, 20, 2**40), version(text), models_changed=True))

    frame = decode.frame(payload, version(text))

    assert (frame.number, frame.exposure_ticks, frame.transmit_ticks) == (42, 10, 2**40)
    assert frame.models_changed
    assert [(b.body_id, b.tracked, b.residual_m) for b in frame.bodies] == [(1, True, 0.5), (7, False, 0.0)]
    assert frame.bodies[0].pos == (0.5, -1.0, 0.25)
    assert frame.bodies[0].named("box").quat_w == pytest.approx((0.8, 0.0, 0.0, 0.6))


@pytest.mark.parametrize("text", VERSIONS)
def test_that_names_and_server_information_are_read_as_they_were_written(text: str) -> None:
    info = ServerInfo("Motive", version(text), 10_000_000, 1511, "239.255.42.99")
    names = {1: "trunk", 7: "Kiste ä"}

    assert decode.server_info(split(encode.server_info(info))[1]) == info
    assert decode.body_names(split(encode.models(names, version(text)))[1], version(text)) == names


def full_frame(text: str) -> bytes:
    """A frame with every kind of section, written by hand."""
    sized = version(text).sized

    def section(count: int, data: bytes) -> bytes:
        return struct.pack("<i", count) + (struct.pack("<i", len(data)) if sized else b"") + data

    body = struct.pack("<i3f4ffh", 3, 1, 2, 3, 0, 0, 0, 1, 0.25, 1)
    marker = struct.pack("<i3ffhf", 9, 1, 2, 3, 0.01, 2, 0.1)
    channels = struct.pack("<iii2fi", 1, 2, 2, 5.0, 6.0, 0)
    parts = [
        struct.pack("<i", 8),
        section(1, b"all\0" + struct.pack("<i6f", 2, 0, 0, 0, 1, 1, 1)),
        section(2, struct.pack("<6f", *range(6))),
        section(1, body),
        section(1, struct.pack("<ii", 5, 1) + body),
    ]
    if sized:
        parts.append(section(1, struct.pack("<ii", 6, 1) + body + struct.pack("<i", 1) + marker))
    parts += [section(1, marker), section(1, channels), section(1, channels)]
    parts.append(struct.pack("<IId3Q", 1, 2, 3.5, 11, 12, 13) + (bytes(8) if sized else b"") + struct.pack("<Hi", 0, 0))
    return b"".join(parts)


@pytest.mark.parametrize("text", VERSIONS)
def test_that_markers_skeletons_plates_and_devices_are_passed_over(text: str) -> None:
    frame = decode.frame(full_frame(text), version(text))

    assert [body.body_id for body in frame.bodies] == [3]
    assert (frame.exposure_ticks, frame.transmit_ticks, frame.models_changed) == (11, 13, False)


def test_that_descriptions_of_other_things_are_passed_over() -> None:
    body = b"trunk\0" + struct.pack("<ii3fi", 4, -1, 0, 0, 0, 0)
    camera = b"cam\0" + struct.pack("<7f", *range(7))
    plate = struct.pack("<i", 1) + b"serial\0" + bytes(4 * 163) + struct.pack("<i", 1) + b"Fx\0"
    device = struct.pack("<i", 2) + b"device\0" + b"x\0" + struct.pack("<iii", 1, 2, 1) + b"ai0\0"
    skeleton = b"man\0" + struct.pack("<ii", 1, 1) + b"hip" + body
    markers = b"set\0" + struct.pack("<i", 2) + b"a\0b\0"
    kinds = [(0, markers), (5, camera), (3, plate), (4, device), (2, skeleton), (1, body)]
    payload = struct.pack("<i", len(kinds)) + b"".join(struct.pack("<i", kind) + data for kind, data in kinds)

    assert decode.body_names(payload, version("3.1")) == {4: "trunk"}


@pytest.mark.parametrize("text", VERSIONS)
def test_that_a_frame_that_is_cut_anywhere_is_refused(text: str) -> None:
    whole = full_frame(text)
    for length in range(len(whole) - 4):  # the end mark is not needed
        with pytest.raises(PacketError):
            decode.frame(whole[:length], version(text))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(VERSIONS))
def test_that_garbage_raises_packet_errors_only(data: bytes, text: str) -> None:
    for read in (lambda: split(data), lambda: decode.server_info(data), lambda: decode.echo_response(data)):
        try_to(read)
    try_to(lambda: decode.frame(data, version(text)))
    try_to(lambda: decode.body_names(data, version(text)))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(VERSIONS))
def test_that_a_frame_with_any_byte_changed_is_read_or_refused(where: int, byte: int, text: str) -> None:
    changed = bytearray(full_frame(text))
    changed[where % len(changed)] = byte
    try_to(lambda: decode.frame(bytes(changed), version(text)))


def try_to(read) -> None:
    with contextlib.suppress(PacketError):
        read()


def test_that_counts_that_cannot_be_true_are_refused_before_anything_is_read() -> None:
    with pytest.raises(PacketError, match="do not fit"):
        decode.frame(struct.pack("<ii", 1, 2**31 - 1) + bytes(100), version("3.0"))


def test_that_an_old_version_is_refused_with_what_is_understood() -> None:
    payload = bytearray(split(encode.server_info(ServerInfo("Motive", version("3.0"), 1, 1511, "")))[1])
    payload[260] = 2
    with pytest.raises(PacketError, match=r"3\.0 to 4\.x"):
        decode.server_info(bytes(payload))


def test_that_axes_with_y_up_become_z_up() -> None:
    pos, quat = z_up((1.0, 2.0, 3.0), (0.8, 0.0, 0.6, 0.0))  # turned about their up

    assert pos == (1.0, -3.0, 2.0)
    assert quat == (0.8, 0.0, 0.0, 0.6)  # is turned about our up
    assert y_up(pos, quat) == ((1.0, 2.0, 3.0), (0.8, 0.0, 0.6, 0.0))
