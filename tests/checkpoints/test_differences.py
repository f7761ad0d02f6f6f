"""Weights kept by what they differ from the next ones: exact to the bit, small, and read with distrust."""

import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, strategies as st
from safetensors.numpy import load_file, save_file

from influence.checkpoints import differences
from influence.checkpoints.differences import DIFFERENCES, FORMAT, have_one_shape, read_differences, write_differences
from influence.errors import ModelError

TYPES = [
    *(torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.complex64),
    *(torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool),
]


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def any_bits(dtype: torch.dtype, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Every pattern of bits, NaN and infinity among them; of bool the two that there are."""
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    generator = np.random.default_rng(seed)
    size = int(np.prod(shape)) * torch.empty((), dtype=dtype).element_size()
    raw = generator.integers(0, 2 if dtype is torch.bool else 256, size=size, dtype=np.uint8)
    return torch.from_numpy(raw).view(dtype).reshape(shape)


def check_round_trip(folder: Path, tensors: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> None:
    before = {name: bits(tensor) for name, tensor in after.items()}
    write_differences(folder, tensors, after)
    found = read_differences(folder, after)
    assert {name: (t.dtype, t.shape, bits(t)) for name, t in found.items()} == {
        name: (t.dtype, t.shape, bits(t)) for name, t in tensors.items()
    }
    assert {name: bits(tensor) for name, tensor in after.items()} == before


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (7, 3), (0, 5), (2, 3, 4)])
def test_any_bits_of_any_type_come_back(tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    check_round_trip(tmp_path, {"a.b/c": any_bits(dtype, shape, 1)}, {"a.b/c": any_bits(dtype, shape, 2)})


def test_pieces_and_planes_of_several_tensors_keep_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "PIECE", 10)
    shapes = {"1/w": (3, 7), "w": (4, 11), "0/1/w": (10,), "": (1,)}
    one, other = ({name: any_bits(torch.float32, shape, n) for name, shape in shapes.items()} for n in (1, 2))
    check_round_trip(tmp_path, one, other)
    check_round_trip(tmp_path, {"w": one["w"].T}, {"w": other["w"].T})  # not contiguous


def test_the_codes_are_those_that_are_documented(tmp_path: Path) -> None:
    """By hand: a float32 whose bits are one more than the next one's, one less, and the same."""
    after = torch.tensor([1.0, 1.0, 1.0, -2.5])
    tensors = torch.tensor([np.nextafter(np.float32(1), np.float32(2)), np.nextafter(np.float32(1), np.float32(0)), 1.0, -2.5])
    write_differences(tmp_path, {"w": tensors}, {"w": after})
    planes = load_file(tmp_path / DIFFERENCES)
    assert list(planes) == ["0/0/w"]
    assert pa.Codec("zstd").decompress(planes["0/0/w"].tobytes(), 4).to_pybytes() == bytes([2, 1, 0, 0])


@given(st.integers(-(2**31), 2**31 - 1))
def test_zigzag_puts_small_numbers_of_either_sign_first(number: int) -> None:
    coded = differences._zigzag(np.array([number & 0xFFFFFFFF], dtype=np.uint32))
    assert int(coded[0]) == (2 * number if number >= 0 else -2 * number - 1)
    assert int(differences._unzigzag(coded)[0]) == number & 0xFFFFFFFF


def test_what_did_not_change_takes_no_room_and_little_change_little(tmp_path: Path) -> None:
    after = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    write_differences(tmp_path, {"w": after}, {"w": after})
    assert (tmp_path / DIFFERENCES).stat().st_size < 200
    moved = after + 1e-4 * torch.randn(400_000, generator=torch.Generator().manual_seed(1))
    write_differences(tmp_path, {"w": moved}, {"w": after})
    assert (tmp_path / DIFFERENCES).stat().st_size < 0.55 * after.nbytes


def test_of_one_shape() -> None:
    one = {"w": torch.zeros(2, 3)}
    assert have_one_shape(one, {"w": torch.ones(2, 3)})
    for other in (
        {},
        {"v": torch.zeros(2, 3)},
        {"w": torch.zeros(3, 2)},
        {"w": torch.zeros(2, 3).half()},
        {**one, "v": one["w"]},
    ):
        assert not have_one_shape(one, other)
        assert not have_one_shape(other, one)


def frame(values: bytes) -> np.ndarray:
    return np.frombuffer(pa.Codec("zstd").compress(values, asbytes=True), dtype=np.uint8)


@pytest.mark.parametrize(
    ("planes", "metadata", "said"),
    [
        ({"0/0/w": frame(b"x" * 5)}, FORMAT, "ZSTD"),  # more than the next checkpoint has numbers
        ({"0/0/w": frame(b"x" * 3)}, FORMAT, "ZSTD"),
        ({"0/0/w": frame(bytes(1 << 26))}, FORMAT, "ZSTD"),  # a bomb: 64 MiB from a few bytes
        ({"0/0/w": np.frombuffer(b"no frame", dtype=np.uint8)}, FORMAT, "ZSTD"),
        ({"0/4/w": frame(b"x" * 4)}, FORMAT, "'0/4/w', which the next checkpoint has not"),
        ({"1/0/w": frame(b"x" * 4)}, FORMAT, "'1/0/w', which"),
        ({"0/0/v": frame(b"x" * 4)}, FORMAT, "'0/0/v', which"),
        ({}, {"format": "wordtrace differences 2"}, "differences 2"),
        ({}, None, "its format is None"),
    ],
)
def test_a_file_that_says_anything_else_is_refused(
    tmp_path: Path, planes: dict[str, np.ndarray], metadata: dict[str, str] | None, said: str
) -> None:
    save_file(planes, tmp_path / DIFFERENCES, metadata=metadata)
    with pytest.raises(ModelError, match=said):
        read_differences(tmp_path, {"w": torch.zeros(4)})


@pytest.mark.parametrize("cut", [0, 4, 40, 90])
def test_a_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    write_differences(tmp_path, {"w": torch.ones(9)}, {"w": torch.zeros(9)})
    file = tmp_path / DIFFERENCES
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ModelError, match="cannot be loaded"):
        read_differences(tmp_path, {"w": torch.zeros(9)})


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"0/0/w": {"dtype": "U8", "shape": [1 << 40], "data_offsets": [0, 1 << 40]}}).encode()
    (tmp_path / DIFFERENCES).write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelError, match="cannot be loaded"):
        read_differences(tmp_path, {"w": torch.zeros(4)})
