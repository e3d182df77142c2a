"""The robot's end of the DDS traffic, by CycloneDDS on one interface (needs the extra `robot`)."""

from cyclonedds._clayer import ddspy_take, ddspy_write
from cyclonedds.core import InstanceState, SampleState, ViewState
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from core.robot import wire
from core.robot.announcer import Announcer
from core.robot.idl_types import (
    BatteryState,
    FallDownState,
    LowCmd,
    LowState,
    Odometer,
    RobotStates,
    RpcRequest,
    RpcResponse,
)
from core.robot.wire import Sample

PARTICIPANT_INDEX = 60
"""Fixed, so that the discovery port is known; above what clients on the same host take."""
MAX_DOMAIN = 230
_DEPTH = 64
_RELIABLE = Policy.Reliability.Reliable(duration(milliseconds=100))
_ANY = SampleState.Any | ViewState.Any | InstanceState.Any


class RobotBus:
    """Topics of the robot: publishes states, takes commands and requests. `address` is the IPv4 of the interface."""

    def __init__(self, domain: int, address: str = "127.0.0.1") -> None:
        """Raises ValueError for a domain whose ports do not exist."""
        if not 0 <= domain <= MAX_DOMAIN:
            raise ValueError(f"domain must be 0 to {MAX_DOMAIN}, got {domain}")
        self._domain = Domain(domain, _configuration(address))
        self._participant = DomainParticipant(domain)
        self._announcer = Announcer(self._participant.guid.bytes[:12], domain, PARTICIPANT_INDEX, address)
        best_effort = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(1))
        reliable = Qos(_RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(_DEPTH))
        states = (
            (wire.LOW_STATE, LowState), (wire.ODOMETER, Odometer), (wire.FALL_DOWN, FallDownState),
            (wire.BATTERY, BatteryState), (wire.ROBOT_STATES, RobotStates),
        )  # fmt: skip
        self._writers = {name: self._writer(name, kind, best_effort) for name, kind in states}
        self._writers[wire.RPC_RESPONSE] = self._writer(wire.RPC_RESPONSE, RpcResponse, reliable)
        self._commands = self._reader(wire.LOW_CMD, LowCmd, reliable)
        self._requests = self._reader(wire.RPC_REQUEST, RpcRequest, reliable)

    def close(self) -> None:
        """Leave the domain."""
        self._announcer.close()
        del self._writers, self._commands, self._requests, self._participant, self._domain

    def publish(self, topic: str, message: IdlStruct) -> None:
        """Write a slow message."""
        self._writers[topic].write(message)

    def publish_bytes(self, topic: str, sample: bytes) -> None:
        """Write an encoded sample (length a multiple of 4)."""
        ddspy_write(self._writers[topic]._ref, sample)

    def take_commands(self) -> list[Sample]:
        """Every low-level command since the last call, oldest first."""
        return _take(self._commands)

    def take_requests(self) -> list[RpcRequest]:
        """Every call of the service since the last call."""
        return [RpcRequest.deserialize(sample.data) for sample in _take(self._requests)]

    def _writer(self, name: str, kind: type[IdlStruct], qos: Qos) -> DataWriter:
        return DataWriter(self._participant, Topic(self._participant, name, kind), qos)

    def _reader(self, name: str, kind: type[IdlStruct], qos: Qos) -> DataReader:
        return DataReader(self._participant, Topic(self._participant, name, kind), qos)


def _take(reader: DataReader) -> list[Sample]:
    taken = ddspy_take(reader._ref, _ANY, _DEPTH)
    if isinstance(taken, int):
        return []  # an error code: nothing to take
    return [Sample(data, info.source_timestamp, info.publication_handle) for data, info in taken if info.valid_data]


def _configuration(address: str) -> str:
    return (
        "<CycloneDDS><Domain><General><Interfaces>"
        f'<NetworkInterface address="{address}" multicast="true"/></Interfaces>'
        "<AllowMulticast>spdp</AllowMulticast></General>"
        f"<Discovery><ParticipantIndex>{PARTICIPANT_INDEX}</ParticipantIndex></Discovery></Domain></CycloneDDS>"
    )
