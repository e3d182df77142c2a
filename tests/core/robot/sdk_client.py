"""The vendor's SDK as a client of a simulated robot, in a process of its own: `python sdk_client.py DOMAIN`.

Prints one JSON line. The SDK takes one domain per process, so tests cannot use it themselves.
"""

import json
import os
import sys
import time

import booster_robotics_sdk_python as sdk


def main(domain: int) -> None:
    sdk.ChannelFactory.Instance().Init(domain, "127.0.0.1")
    states, modes, falls, batteries = [], [], [], []
    subscribers = [
        sdk.B1LowStateSubscriber(lambda m: states.append((len(m.motor_state_serial), m.motor_state_serial[20].q))),
        sdk.B1RobotStatesSubscriber(lambda m: modes.append(m.current_mode)),
        sdk.B1FallDownStateSubscriber(lambda m: falls.append(int(m.fall_down_state))),
        sdk.B1BatteryStateSubscriber(lambda m: batteries.append(m.soc)),
    ]
    for subscriber in subscribers:
        subscriber.InitChannel()
    publisher = sdk.B1LowCmdPublisher()
    publisher.InitChannel()
    client = sdk.B1LocoClient()
    client.Init()
    assert client.WaitForService(20000)
    deadline = time.monotonic() + 20
    mode = None
    while mode is None and time.monotonic() < deadline:
        try:
            mode = int(client.GetMode().mode)
        except RuntimeError:
            continue  # the robot's side may see the client later than the client the robot
    info = client.GetRobotInfo()
    try:
        client.ChangeMode(sdk.RobotMode.kCustom)
        refused = 0
    except RuntimeError as error:
        refused = int(str(error).rsplit("=", 1)[1])
    client.ChangeMode(sdk.RobotMode.kPrepare)
    command = sdk.LowCmd()
    command.cmd_type = sdk.LowCmdType.SERIAL
    command.motor_cmd = [sdk.MotorCmd() for _ in range(23)]
    publisher.Write(command)
    while time.monotonic() < deadline and not (batteries and falls and modes[-1:] == [1]):
        time.sleep(0.01)
    result = {
        "mode": mode, "info": info.serial_number, "refused": refused, "states": len(states), "motors": states[-1][0],
        "knee": states[0][1], "last_mode": modes[-1], "fall": falls[-1], "battery": batteries[-1],
    }  # fmt: skip
    print(json.dumps(result), flush=True)


main(int(sys.argv[1]))
os._exit(0)
