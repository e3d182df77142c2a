"""The encoder against the HDF5 library: what is written reads back, alike in type and value."""

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from core.data.hdf5_encode import SUPERBLOCK_SIZE, Appender, lookup3, parse_superblock, superblock

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/.\0", exclude_categories=("Cs",)), min_size=1)
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    arrays(np.float32, array_shapes(max_dims=3), elements=st.floats(-1e3, 1e3, width=32)),
)
ARRAYS = st.sampled_from(["<f4", "<f8", "|u1", "<i8", "<i4", "|b1"]).flatmap(
    lambda kind: arrays(np.dtype(kind), array_shapes(min_dims=0, max_dims=3, min_side=0))
)


def write(path, out, root):
    path.write_bytes(superblock(root, out.end) + out.data())


def test_that_the_checksum_is_bob_jenkins_lookup3():
    # Values printed by lookup3.c (driver5), for hashlittle with initial value 0.
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551


@settings(max_examples=60, deadline=None, database=None)
@given(attributes=st.dictionaries(NAMES, VALUES, max_size=8), members=st.dictionaries(NAMES, ARRAYS, max_size=6))
def test_that_the_library_reads_what_was_encoded(tmp_path_factory, attributes, members):
    path = tmp_path_factory.mktemp("encode") / "x.hdf5"
    out = Appender(SUPERBLOCK_SIZE)
    inner = out.group(out.tree({f"deep/er/{name}": array for name, array in members.items()}))
    write(path, out, out.group({"group": inner}, attributes))
    with h5py.File(path, "r") as file:
        assert set(file.attrs) == set(attributes)
        for name, value in attributes.items():
            np.testing.assert_array_equal(file.attrs[name], value)
            assert isinstance(file.attrs[name], str) == isinstance(value, str)
        for name, array in members.items():
            item = file["group/deep/er"][name]
            assert item.dtype == array.dtype
            np.testing.assert_array_equal(item[()], array)


@pytest.mark.parametrize("value", ["text", True, 3, 2.5, np.arange(3, dtype=np.float32)])
def test_that_attribute_types_are_those_that_the_library_writes(tmp_path, value):
    out = Appender(SUPERBLOCK_SIZE)
    write(tmp_path / "ours.hdf5", out, out.group({}, {"a": value}))
    with h5py.File(tmp_path / "ours.hdf5", "r") as ours, h5py.File(tmp_path / "theirs.hdf5", "w") as theirs:
        theirs.attrs["a"] = value
        assert ours.attrs.get_id("a").get_type() == theirs.attrs.get_id("a").get_type()


def test_that_other_types_are_refused():
    with pytest.raises(ValueError, match="cannot store arrays of complex128"):
        Appender(SUPERBLOCK_SIZE).dataset(np.zeros(3, complex))


def test_that_a_damaged_superblock_is_noticed():
    block = superblock(1234, 99999)
    assert parse_superblock(block) == (1234, 99999)
    for position in (0, 8, 20, 30, 40, 45):
        damaged = bytearray(block)
        damaged[position] ^= 0x10
        assert parse_superblock(bytes(damaged)) is None
    assert parse_superblock(block[:20]) is None
