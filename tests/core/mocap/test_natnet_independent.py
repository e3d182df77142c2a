"""The emulator read by another NatNet client: both follow the same public format, neither the other."""

import numpy as np
import pytest

from core.mocap.emulated_errors import PERFECT
from core.mocap.emulator import MocapEmulator

natnet = pytest.importorskip("natnet")
POSES = {"trunk": np.array([0.1, 0.2, 0.65, 1.0, 0.0, 0.0, 0.0]), "box": np.array([1.4, 0.1, 0.6, 0.8, 0.0, 0.0, 0.6])}


@pytest.mark.parametrize("version", ["3.1", "4.0", "4.1"])
def test_that_another_client_reads_names_poses_and_stamps(version: str) -> None:
    emulator = MocapEmulator(tuple(POSES), 0, PERFECT, version=version)
    client = natnet.NatNetClient(command_port=emulator.port, use_multicast=False)
    frames, descriptions = [], []
    client.on_data_frame_received_event.handlers.append(frames.append)
    client.on_data_description_received_event.handlers.append(descriptions.append)
    clock = iter(range(10_000))

    def tick(times: int) -> None:
        for _ in range(times):
            emulator.tick(0.005 * next(clock), lambda: POSES)

    try:
        connect(client, tick)
        client.request_modeldef()
        tick(20)
        client.update_sync()
    finally:
        client.shutdown()
        emulator.close()

    assert len(frames) >= 3
    ids = {body.name: body.id_num for body in descriptions[0].rigid_bodies}
    seen = {body.id_num: body for body in frames[-1].rigid_bodies}
    box = seen[ids["box"]]
    assert set(ids) == set(POSES)
    np.testing.assert_allclose(box.pos, POSES["box"][:3], atol=1e-6)
    np.testing.assert_allclose(box.rot, [0.0, 0.0, 0.6, 0.8], atol=1e-6)
    assert box.tracking_valid
    suffix = frames[-1].suffix
    assert suffix.stamp_camera_mid_exposure <= suffix.stamp_data_received <= suffix.stamp_transmit


def connect(client, tick) -> None:
    """`connect` of the other client waits in real time; the emulator is stepped by us."""
    import threading

    thread = threading.Thread(target=client.connect)
    thread.start()
    while thread.is_alive():
        tick(1)
        thread.join(0.02)
