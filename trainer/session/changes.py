"""What a change of the settings costs: another world, another source, another recording, or nothing."""

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


def _built_from(config: Configure) -> tuple[str, ...]:
    robot = config.robot, config.mocap, config.stop_key, config.soft_stop_key
    return (config.task, config.backend, config.controller, *robot)


def _commanding(config: Configure) -> tuple[object, ...]:
    policy = (config.checkpoint, config.runtime, config.hold_after, config.realtime)
    return (config.source, config.safety, config.vr, *(policy if config.source == "policy" else ()))


def _recording(config: Configure) -> tuple[object, ...]:
    return config.dataset, config.auto_record, config.operator, config.source
