"""The session worker as the window starts it, driving a simulated robot that stands up quickly."""

import dataclasses
import os
import sys
from typing import Any

from core.backends import t1
from core.robot.agent.config import AgentConfig
from trainer.session import worker

QUICK = {"stand_up_s": 0.9, "settle_s": 0.2, "ramp_s": 0.2}


class QuickT1(t1.T1Backend):
    """Only the times of standing up differ."""

    def __init__(self, scene: Any, agent: AgentConfig, *rest: Any, **named: Any) -> None:
        super().__init__(scene, dataclasses.replace(agent, **QUICK), *rest, **named)


if __name__ == "__main__":
    t1.T1Backend = QuickT1  # type: ignore[misc]
    status = worker.main()
    sys.stdout.flush()
    os._exit(status)
