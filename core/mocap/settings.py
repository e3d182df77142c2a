"""Where motion capture comes from and what its bodies are called, in one line of text that travels everywhere."""

from dataclasses import dataclass, field
from typing import Literal

from core.mocap.natnet.wire import COMMAND_PORT

TRUNK = "trunk"
"""Our name of the robot's trunk; objects have their scene's names."""
SYSTEMS = ("natnet", "vicon", "qualisys", "vrpn")
"""natnet is spoken here; the others by the library `motioncapture`, an extra."""
_EXAMPLE = "natnet:192.168.1.5 or vicon:192.168.1.5, with ',trunk=T1,box=Crate,up=y' where needed"


@dataclass(frozen=True)
class MocapSettings:
    """A motion capture system as this program uses it."""

    system: str
    "one of `SYSTEMS`"
    host: str
    port: int = COMMAND_PORT
    "NatNet's command port"
    up: Literal["z", "y"] = "z"
    "the system's upward axis; Motive streams z up when told so"
    names: dict[str, str] = field(default_factory=dict)
    "our name -> the system's, where they differ"

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError(f"motion capture needs a host; write {_EXAMPLE}")
        if not 0 < self.port < 65536:
            raise ValueError(f"port must be 1 to 65535, got {self.port}")

    @classmethod
    def parse(cls, text: str) -> "MocapSettings":
        """From "SYSTEM:HOST[:PORT][,OURS=THEIRS]...[,up=y]". Raises ValueError with an example."""
        address, *options = (part.strip() for part in text.split(","))
        system, _, place = address.partition(":")
        host, _, port = place.partition(":")
        if system not in SYSTEMS or (port and not port.isdigit()):
            raise ValueError(f"motion capture {text!r} is no address; write {_EXAMPLE} (also qualisys:, vrpn:)")
        names: dict[str, str] = {}
        up: Literal["z", "y"] = "z"
        for option in options:
            ours, _, theirs = (part.strip() for part in option.partition("="))
            if not ours or not theirs:
                raise ValueError(f"{option!r} in {text!r} is not understood; write {_EXAMPLE}")
            if ours != "up":
                names[ours] = theirs
            elif theirs in ("z", "y"):
                up = theirs
            else:
                raise ValueError(f"up must be z or y, got {theirs!r}")
        return cls(system, host, int(port or COMMAND_PORT), up, names)

    def theirs(self, ours: str) -> str:
        """What the system calls a body."""
        return self.names.get(ours, ours)

    def ours(self, theirs: str) -> str:
        """What we call a body of the system."""
        return next((ours for ours, name in self.names.items() if name == theirs), theirs)
