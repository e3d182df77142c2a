"""What a change of the settings costs: another world, another source, another recording, or nothing."""

from core.control.hardware_speeds import HAND_M_S, WALK_M_S
from trainer.session.messages import Configure


def needs_another_world(old: Configure, new: Configure) -> bool:
    """Whether robot, scene or controllers must be built anew."""
    return _built_from(old) != _built_from(new)


def needs_another_source(old: Configure, new: Configure) -> bool:
    """Whether somebody else commands, or within other limits."""
    return _commanding(old) != _commanding(new)


def needs_another_recording(old: Configure, new: Configure) -> bool:
    """Whether episodes go elsewhere, or under another name."""
    return _recording(old) != _recording(new)


def _built_from(config: Configure) -> tuple[object, ...]:
    robot = (config.robot, config.mocap, config.stop_key, config.soft_stop_key, config.hang, config.practise)
    return (config.task, config.backend, config.controller, *robot, *_speeds(config))


def _speeds(config: Configure) -> tuple[object, ...]:
    """Loosened limits are somebody's word: another name is another agreement, which the agent logs."""
    loosened = config.walk_limit_m_s > WALK_M_S or config.hand_limit_m_s > HAND_M_S
    return (config.walk_limit_m_s, config.hand_limit_m_s, config.operator if loosened else "")


def _commanding(config: Configure) -> tuple[object, ...]:
    policy = (config.checkpoint, config.runtime, config.hold_after, config.realtime)
    return (config.source, config.safety, config.vr, *(policy if config.source == "policy" else ()))


def _recording(config: Configure) -> tuple[object, ...]:
    return config.dataset, config.auto_record, config.operator, config.source
