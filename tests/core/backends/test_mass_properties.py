"""Mass properties against an independent computation and against mechanics."""

import numpy as np
import torch

from core import rigid
from core.backends.mass import add_point_mass, box_inertia, matrix_from_quat, quat_from_matrix
from core.t1.gripper import MassProperties, combine


def random_quats(count: int) -> np.ndarray:
    quat = np.random.default_rng(0).normal(size=(count, 4))
    return quat / np.linalg.norm(quat, axis=1, keepdims=True)


def test_that_quaternions_and_matrices_are_inverse() -> None:
    quat = random_quats(50)
    back = quat_from_matrix(matrix_from_quat(quat))
    np.testing.assert_allclose(np.abs((quat * back).sum(axis=1)), 1.0, atol=1e-12)


def test_that_a_point_mass_is_added_as_the_parallel_axis_theorem_says() -> None:
    mass, com, principal, quat = 0.7, np.array([0.01, 0.05, -0.02]), np.array([1e-3, 2e-3, 2.5e-3]), random_quats(1)[0]
    point, payload = np.array([0.0, 0.1, 0.03]), np.array([0.0, 0.2, 1.5])
    totals, coms, inertias, quats = add_point_mass(mass, com, principal, quat, point, payload)
    axes = matrix_from_quat(quat)
    body = MassProperties(mass, com, axes @ np.diag(principal) @ axes.T)
    for i, m in enumerate(payload):
        expected = combine(body, MassProperties(m, point, np.zeros((3, 3))))
        new_axes = matrix_from_quat(quats[i])
        np.testing.assert_allclose(totals[i], expected.mass)
        np.testing.assert_allclose(coms[i], expected.com)
        np.testing.assert_allclose(new_axes @ np.diag(inertias[i]) @ new_axes.T, expected.inertia, atol=1e-12)


def test_that_the_inertia_of_a_cuboid_is_that_of_the_formula() -> None:
    np.testing.assert_allclose(box_inertia(np.array([12.0]), np.array([[1.0, 2.0, 3.0]])), [[13.0, 10.0, 5.0]])


def test_that_rotation_matrices_agree_with_those_of_torch() -> None:
    quats = random_quats(100)
    assert np.array_equal(matrix_from_quat(quats), rigid.matrix_from_quat(torch.from_numpy(quats)).numpy())
