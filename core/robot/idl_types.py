"""The T1's DDS types for CycloneDDS, by the names that the robot uses on the wire (measured from the SDK 1.6.3)."""

from dataclasses import dataclass

from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, float32, int32, sequence, uint8, uint32

_INTERFACE = "booster_interface.msg.dds_."
_MESSAGES = "booster_msgs.msg.dds_."


@dataclass
class ImuState(IdlStruct, typename=f"{_INTERFACE}ImuState_"):
    rpy: array[float32, 3]
    gyro: array[float32, 3]
    acc: array[float32, 3]


@dataclass
class MotorState(IdlStruct, typename=f"{_INTERFACE}MotorState_"):
    mode: uint8
    q: float32
    dq: float32
    ddq: float32
    tau_est: float32
    temperature: uint8
    lost: uint32
    reserve: array[uint32, 2]


@dataclass
class LowState(IdlStruct, typename=f"{_INTERFACE}LowState_"):
    imu_state: ImuState
    motor_state_parallel: sequence[MotorState]
    motor_state_serial: sequence[MotorState]


@dataclass
class MotorCmd(IdlStruct, typename=f"{_INTERFACE}MotorCmd_"):
    mode: uint8
    q: float32
    dq: float32
    tau: float32
    kp: float32
    kd: float32
    weight: float32


@dataclass
class LowCmd(IdlStruct, typename=f"{_INTERFACE}LowCmd_"):
    cmd_type: uint32
    motor_cmd: sequence[MotorCmd]


@dataclass
class Odometer(IdlStruct, typename=f"{_INTERFACE}Odometer_"):
    x: float32
    y: float32
    theta: float32


@dataclass
class FallDownState(IdlStruct, typename=f"{_INTERFACE}FallDownState_"):
    fall_down_state: uint32
    is_recovery_available: bool


@dataclass
class BatteryState(IdlStruct, typename=f"{_INTERFACE}BatteryState_"):
    voltage: float32
    current: float32
    soc: float32
    average_voltage: float32


@dataclass
class RobotStates(IdlStruct, typename=f"{_INTERFACE}RobotStatesMsg_"):
    current_mode: int32
    current_body_control: int32
    current_actions: sequence[int32]


@dataclass
class RpcRequest(IdlStruct, typename=f"{_MESSAGES}RpcReqMsg_"):
    uuid: str
    header: str
    body: str


@dataclass
class RpcResponse(IdlStruct, typename=f"{_MESSAGES}RpcRespMsg_"):
    uuid: str
    header: str
    body: str
