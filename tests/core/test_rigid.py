"""Laws of rotations: inverse, composition, logarithm, continuity of the 6-D form."""

import torch

from core import rigid


def _random_quats(n: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return rigid.quat_normalize(torch.randn(n, 4, generator=generator, dtype=torch.float64))


def test_that_a_rotation_and_its_inverse_cancel():
    q = _random_quats()
    identity = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand_as(q)
    torch.testing.assert_close(rigid.quat_normalize(rigid.quat_mul(q, rigid.quat_inv(q))), identity)


def test_that_composition_rotates_in_sequence():
    a, b = _random_quats(), _random_quats().flip(0)
    v = torch.randn(256, 3, dtype=torch.float64)
    torch.testing.assert_close(
        rigid.quat_rotate(rigid.quat_mul(a, b), v), rigid.quat_rotate(a, rigid.quat_rotate(b, v))
    )


def test_that_log_and_exp_are_inverse():
    q = _random_quats()
    torch.testing.assert_close(rigid.quat_normalize(rigid.quat_from_rotvec(rigid.quat_to_rotvec(q))), q)


def test_that_log_of_a_tiny_rotation_keeps_its_size():
    v = torch.full((1, 3), 1e-9, dtype=torch.float64)
    torch.testing.assert_close(rigid.quat_to_rotvec(rigid.quat_from_rotvec(v)), v)


def test_that_matrix_and_6d_forms_come_back():
    q = _random_quats()
    torch.testing.assert_close(rigid.quat_from_matrix(rigid.matrix_from_quat(q)), q)
    torch.testing.assert_close(rigid.quat_from_rotation_6d(rigid.rotation_6d(q)), q)


def test_that_rotation_error_takes_q_to_its_reference():
    q, q_ref = _random_quats(), _random_quats().flip(0)
    moved = rigid.quat_mul(rigid.quat_from_rotvec(rigid.rotation_error(q, q_ref)), q)
    torch.testing.assert_close(rigid.quat_normalize(moved), q_ref)


def test_that_yaw_of_a_pure_yaw_is_itself():
    yaw = torch.linspace(-3.1, 3.1, 63, dtype=torch.float64)
    torch.testing.assert_close(rigid.yaw_of(rigid.quat_from_yaw(yaw)), yaw)
    torch.testing.assert_close(rigid.wrap_angle(yaw + 4 * torch.pi), yaw)


def test_that_the_units_multiply_as_hamilton_wrote():
    i, j, k = torch.eye(4)[1:]
    minus_one = torch.tensor([-1.0, 0.0, 0.0, 0.0])
    for a, b, product in ((i, j, k), (j, k, i), (k, i, j), (j, i, -k), (i, i, minus_one), (j, j, minus_one)):
        assert torch.equal(rigid.quat_mul(a, b), product)


def test_that_one_rotation_is_composed_with_many():
    a, b = _random_quats(6).reshape(2, 1, 3, 4)[:, :, 0], _random_quats(10).reshape(2, 5, 4)
    each = torch.stack([torch.stack([rigid.quat_mul(a[n, 0], b[n, m]) for m in range(5)]) for n in range(2)])
    assert torch.equal(rigid.quat_mul(a, b), each)


def test_that_the_6d_form_is_two_columns_of_the_matrix():
    q = _random_quats()
    for quats in (q, q.float()):
        matrix = rigid.matrix_from_quat(quats)
        assert torch.equal(rigid.rotation_6d(quats), torch.cat((matrix[..., 0], matrix[..., 1]), dim=-1))
