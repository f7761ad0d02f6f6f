"""The weights of a checkpoint by what they differ from the next one's, exact to the bit.

    FOLDER/differences.safetensors      for NAME's piece P of 4 Mi numbers, byte plane B of each: "P/B/NAME", bytes

A number's bits are read as a whole number of its width; what is kept is this checkpoint's minus the next one's (it wraps
around), zig-zag coded: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... So little training changes small numbers, whose high bytes are
nought. All lowest bytes of a piece stand together, then all second ones; each such plane is a zstd frame, and one of noughts is
left out. A tensor that did not change takes no room. How much memory reading takes follows from the next checkpoint alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from influence.guarded import guarded

DIFFERENCES = "differences.safetensors"
FORMAT = {"format": "wordtrace differences 1"}
PIECE = 4 << 20  # numbers
WIDEST = 8  # bytes of a number; of wider ones each half is one
Tensors = Mapping[str, torch.Tensor]
Bits = npt.NDArray[np.unsignedinteger]


def have_one_shape(one: Tensors, other: Tensors) -> bool:
    """Whether two sets of weights have the same names, shapes and types, so that one can be kept as its difference."""
    return one.keys() == other.keys() and all(
        (tensor.shape, tensor.dtype) == (other[name].shape, other[name].dtype) for name, tensor in one.items()
    )


def write_differences(folder: Path, tensors: Tensors, after: Tensors) -> None:
    """Write what `tensors` differ from those `after` them, of one shape with them, into a folder."""
    codec, planes = pa.Codec("zstd", compression_level=1), {}
    for name, tensor in tensors.items():
        for number, (bits, next_bits) in enumerate(zip(_pieces(tensor), _pieces(after[name]), strict=True)):
            coded = _zigzag(bits - next_bits)
            for plane, values in enumerate(coded.view(np.uint8).reshape(len(coded), -1).T):
                if values.any():
                    frame = codec.compress(np.ascontiguousarray(values), asbytes=True)
                    planes[f"{number}/{plane}/{name}"] = np.frombuffer(frame, dtype=np.uint8)
    save_file(planes, folder / DIFFERENCES, metadata=FORMAT)


def read_differences(folder: Path, after: Tensors) -> dict[str, torch.Tensor]:
    """The weights that `write_differences` was given. Raises `ModelError` for a file that says anything else."""
    return guarded(f"checkpoint {str(folder)!r}", lambda: _read(folder / DIFFERENCES, after))


def _read(file: Path, after: Tensors) -> dict[str, torch.Tensor]:
    codec, tensors = pa.Codec("zstd"), {}
    with safe_open(file, "np") as opened:
        if opened.metadata() != FORMAT:
            raise ValueError(f"its format is {opened.metadata()}, not {FORMAT}")
        left = set(opened.keys())
        for name, next_tensor in after.items():
            tensors[name] = next_tensor.clone(memory_format=torch.contiguous_format)
            for number, bits in enumerate(_pieces(tensors[name])):
                coded = np.zeros_like(bits)
                for plane, values in enumerate(coded.view(np.uint8).reshape(len(coded), -1).T):
                    if (key := f"{number}/{plane}/{name}") in left:
                        left.remove(key)
                        values[:] = np.frombuffer(codec.decompress(opened.get_tensor(key), len(values)), dtype=np.uint8)
                bits += _unzigzag(coded)
    if left:
        raise ValueError(f"it holds {sorted(left)[0]!r}, which the next checkpoint has not")
    return tensors


def _pieces(tensor: torch.Tensor) -> Iterator[Bits]:
    """The bits of a tensor's numbers as whole numbers without a sign, so many at a time; views where it is contiguous."""
    width = min(tensor.element_size(), WIDEST)
    bits = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().view(f"<u{width}")
    for start in range(0, len(bits), PIECE):
        yield bits[start : start + PIECE]


def _zigzag(bits: Bits) -> Bits:
    """0, -1, 1, -2, … (two's complement) to 0, 1, 2, 3, …"""
    top = bits.dtype.type(8 * bits.itemsize - 1)
    return (bits << bits.dtype.type(1)) ^ (bits.dtype.type(0) - (bits >> top))


def _unzigzag(coded: Bits) -> Bits:
    one = coded.dtype.type(1)
    return (coded >> one) ^ (coded.dtype.type(0) - (coded & one))
