"""Commands to network features and back."""

import torch

from core.policy.features import ACTION_FEATURES, action_feature_names, action_features, command_from_features
from core.rigid import quat_normalize
from core.types import Command


def random_commands(count=64):
    generator = torch.Generator().manual_seed(0)
    return Command(
        torch.randn(count, 3, generator=generator),
        torch.randn(count, 2, 3, generator=generator),
        quat_normalize(torch.randn(count, 2, 4, generator=generator)),
        torch.rand(count, 2, generator=generator),
    ).to_vector()


def test_that_commands_come_back():
    commands = random_commands()
    features = action_features(commands)
    assert features.shape == (64, ACTION_FEATURES) == (64, len(action_feature_names()))
    assert torch.allclose(command_from_features(features), commands, atol=1e-5)


def test_that_a_quaternion_and_its_negative_are_the_same_feature():
    commands = random_commands()
    flipped = commands.clone()
    flipped[:, 9:17] *= -1
    assert torch.allclose(action_features(commands), action_features(flipped), atol=1e-6)


def test_that_noisy_rotations_become_the_nearest_frames():
    commands = random_commands()
    features = action_features(commands)
    noisy = features.clone()
    noisy[:, 9:21] += 0.1 * torch.randn(64, 12, generator=torch.Generator().manual_seed(1))
    restored = action_features(command_from_features(noisy))[:, 9:21].unflatten(-1, (2, 2, 3))
    assert torch.allclose(restored.norm(dim=-1), torch.ones(64, 2, 2), atol=1e-5)
    assert torch.allclose((restored[:, :, 0] * restored[:, :, 1]).sum(-1), torch.zeros(64, 2), atol=1e-5)
    assert (restored - features[:, 9:21].unflatten(-1, (2, 2, 3))).abs().max() < 0.6


def test_that_degenerate_rotations_still_give_unit_quaternions():
    features = torch.zeros(3, ACTION_FEATURES)
    features[1, 9:12] = features[1, 12:15] = torch.tensor([0.0, 1.0, 0.0])  # parallel columns
    features[2, 9:21] = 1e-20
    quats = command_from_features(features)[:, 9:17].unflatten(-1, (2, 4))
    assert torch.allclose(quats.norm(dim=-1), torch.ones(3, 2), atol=1e-5)
