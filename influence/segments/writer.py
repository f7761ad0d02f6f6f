"""Writing a segment: one pass of a checkpoint over its examples; rows are made compact where the gradients are.

What is held is a segment's compact rows and one batch, however many examples there are. A segment is written beside its place
and moved there whole, so two processes that write the same one leave the same. Axes: n examples of the segment, d those that
differ, P rows, H rows held, B a batch, L positions, K kept positions, D embedding width.
"""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from influence.errors import WorkspaceError
from influence.formulas import word_products
from influence.gradients import BatchGradients, WordGradients
from influence.models import Encoding
from influence.sealed import finish, is_finished
from influence.segments.arrays import AnyArray, Gathered, write_arrays
from influence.segments.compact import Compact, compacted
from influence.segments.plan import EXAMPLE_FILE, FEATURES, REST, TOP, IndexSettings, Segment, rows_file
from influence.segments.postings import EXAMPLES, FIRST, POSITIONS, REMAINDERS, ROWS, SCALES, SECOND, STARTS, TOKENS
from influence.types import IntArray

Told = Callable[[int], None]  # of how many more examples are done


def write_segment(
    gradients: WordGradients,
    encoding: Encoding,
    labels_N: IntArray,
    first_N: IntArray,
    folder: Path,
    segment: Segment,
    *,
    settings: IndexSettings,
    told: Told = lambda done: None,
) -> None:
    """Write a segment's rows and per-example numbers at one checkpoint into `folder`; nothing where it is there and whole.

    `first_N` names for each example the first with the same tokens and label: those of a segment go through the model once.
    """
    if is_finished(folder):
        told(len(segment))
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f"{folder.name}.{secrets.token_hex(4)}.tmp"
    beside.mkdir()
    try:
        distinct_E, copies_n = np.unique(first_N[segment.start : segment.stop], return_index=True, return_inverse=True)[1:]
        writer = _Writer(encoding, segment, distinct_E, copies_n, settings)
        for batch in gradients.batches(encoding, labels_N, segment.start + distinct_E):
            writer.add(batch)
            told(len(batch.losses_B))
        told(len(segment) - len(distinct_E))
        writer.save(beside)
        finish(beside, {"examples": len(segment)})
        _move(beside, folder)
    finally:
        if beside.exists():
            shutil.rmtree(beside, ignore_errors=True)


def _move(beside: Path, folder: Path) -> None:
    for _ in range(3):
        try:
            beside.rename(folder)
            return
        except OSError:  # another process has been faster, or what was there before is not whole
            if is_finished(folder):
                return
            shutil.rmtree(folder, ignore_errors=True)
    raise WorkspaceError(f"segment {str(folder)!r} cannot be put in its place; run the same command with --resume")


class _Rows:
    """The rows of one part, in the order of the examples that differ."""

    def __init__(self, counts_d: IntArray) -> None:
        self.counts_d = counts_d
        self.offsets_d1 = np.concatenate([[0], np.cumsum(counts_d)])
        self.held: dict[str, AnyArray] = {}

    def put(self, places_B: IntArray, positions_BK: IntArray, arrays: dict[str, torch.Tensor]) -> None:
        """Rows of some examples, as many of each."""
        rows_H = (self.offsets_d1[places_B][:, None] + np.arange(positions_BK.shape[1])).ravel()
        longest = int(positions_BK.max(initial=0))
        kinds = {POSITIONS: np.uint16 if longest < 1 << 16 else np.uint32}
        found = {POSITIONS: positions_BK, **{name: tensor.cpu().numpy() for name, tensor in arrays.items()}}
        for name, values in found.items():
            flat = values.reshape(len(rows_H), *values.shape[2:])
            if name not in self.held:
                self.held[name] = np.zeros((int(self.offsets_d1[-1]), *flat.shape[1:]), dtype=kinds.get(name, flat.dtype))
            if name == POSITIONS and self.held[name].dtype != kinds[name] and longest >= 1 << 16:
                self.held[name] = self.held[name].astype(np.uint32)
            self.held[name][rows_H] = flat


class _Writer:
    def __init__(
        self, encoding: Encoding, segment: Segment, distinct_E: IntArray, copies_n: IntArray, settings: IndexSettings
    ) -> None:
        self.encoding, self.segment, self.settings = encoding, segment, settings
        self.copies_n = copies_n  # which of those that differ each example is
        self.place_n = np.full(len(segment), -1)
        self.place_n[distinct_E] = np.arange(len(distinct_E))
        self.starts_n = encoding.offsets_N1[segment.start : segment.stop].astype(np.int64)
        lengths_d = encoding.lengths_N[segment.start + distinct_E]
        kept_d = np.minimum(lengths_d, settings.top_k)
        self.parts = {TOP: _Rows(kept_d)} | ({REST: _Rows(lengths_d - kept_d)} if settings.store_rest else {})
        self.count, self.small = len(distinct_E), dict[str, AnyArray]()

    def add(self, batch: BatchGradients) -> None:
        """What a batch yields: examples of one length, so none of them is padded."""
        places_B = self.place_n[batch.batch.examples_B - self.segment.start]
        gradients_BLD = batch.gradients_BLD
        squares_BL = _squares(gradients_BLD)
        ranked_BL = _ranked(squares_BL)
        kept_BK, rest_BK = ranked_BL[:, : self.settings.top_k], ranked_BL[:, self.settings.top_k :]
        for part, chosen_BK in {TOP: kept_BK, REST: rest_BK}.items():
            if part in self.parts:
                self._add_rows(self.parts[part], places_B, gradients_BLD, chosen_BK.sort(dim=1).values)
        tokens_BL = torch.from_numpy(batch.batch.tokens_BL).to(gradients_BLD.device)
        every_BL = torch.arange(tokens_BL.shape[1], device=tokens_BL.device).expand_as(tokens_BL)
        totals = [self_influence(gradients_BLD, squares_BL, tokens_BL, chosen) for chosen in (kept_BK, every_BL)]
        self._put("self_influence", places_B, torch.stack(totals, dim=1).float().cpu().numpy())
        self._put("losses", places_B, batch.losses_B)
        self._put("probabilities", places_B, batch.probabilities_BY)
        if self.settings.features and batch.features_BH is not None:
            self._put(FEATURES, places_B, batch.features_BH)

    def _add_rows(self, part: _Rows, places_B: IntArray, gradients_BLD: torch.Tensor, positions_BK: torch.Tensor) -> None:
        wide = positions_BK.unsqueeze(2).expand(-1, -1, gradients_BLD.shape[2])
        rows_BKD = gradients_BLD.gather(1, wide)
        arrays = {ROWS: rows_BKD} if self.settings.exact else _named(compacted(rows_BKD))
        part.put(places_B, positions_BK.cpu().numpy(), arrays)

    def _put(self, name: str, places_B: IntArray, values: AnyArray) -> None:
        if name not in self.small:
            self.small[name] = np.zeros((self.count, *values.shape[1:]), dtype=np.float32)
        self.small[name][places_B] = values

    def save(self, folder: Path) -> None:
        for name, part in self.parts.items():
            write_arrays(folder / rows_file(name), self._sorted(part))
        features = self.small.pop(FEATURES, None)
        small: dict[str, AnyArray] = {name: values[self.copies_n] for name, values in self.small.items()}
        if features is not None and self.settings.exact:
            small[FEATURES] = features[self.copies_n]
        elif features is not None:
            made = _named(compacted(torch.from_numpy(features)))
            small |= {f"{FEATURES}_{name}": made[name].numpy()[self.copies_n] for name in (FIRST, SECOND, SCALES)}
        write_arrays(folder / EXAMPLE_FILE, small)

    def _sorted(self, part: _Rows) -> dict[str, AnyArray | Gathered]:
        """Rows of every example, copies too, in order of token and example."""
        counts_n = part.counts_d[self.copies_n]
        examples_P = np.repeat(np.arange(len(counts_n)), counts_n)
        before_n = np.cumsum(counts_n) - counts_n
        held_P = (part.offsets_d1[self.copies_n] - before_n)[examples_P] + np.arange(len(examples_P))
        positions_H = part.held.get(POSITIONS, np.zeros(0, np.uint16))
        tokens_P = self.encoding.tokens_R[self.starts_n[examples_P] + positions_H[held_P]]
        order_P = np.argsort(tokens_P, kind="stable")
        held_P, tokens_P = held_P[order_P], tokens_P[order_P]
        tokens_U, starts_U = np.unique(tokens_P, return_index=True)
        return {
            TOKENS: tokens_U.astype(np.int32),
            STARTS: np.append(starts_U, len(tokens_P)).astype(np.uint32),
            EXAMPLES: examples_P[order_P].astype(np.uint16),
            **{name: Gathered(values, held_P) for name, values in (part.held or _empty(self.settings.exact)).items()},
        }


def _named(arrays: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    return dict(zip((FIRST, SECOND, SCALES, REMAINDERS), arrays, strict=True))


def _empty(exact: bool) -> dict[str, AnyArray]:
    """The rows of a part that has none."""
    plane = np.zeros((0, 1), dtype=np.int8)
    rows = Compact(plane, plane, np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.uint8))
    names = {ROWS: plane.astype(np.float32)} if exact else dict(zip((FIRST, SECOND, SCALES, REMAINDERS), rows, strict=True))
    return {POSITIONS: np.zeros(0, dtype=np.uint16), **names}


def _squares(rows_XD: torch.Tensor) -> torch.Tensor:
    """‖g‖² of rows, on their device."""
    rows: Any = rows_XD
    return cast(torch.Tensor, word_products(rows, rows))


def _ranked(squares_BL: torch.Tensor) -> torch.Tensor:
    """Positions by gradient norm, the largest first, ties to the earlier one (eq. 5), shape (B, L)."""
    return torch.sort(squares_BL.sqrt(), dim=1, descending=True, stable=True).indices


def self_influence(
    gradients_BLD: torch.Tensor, squares_BL: torch.Tensor, tokens_BL: torch.Tensor, chosen_BK: torch.Tensor
) -> torch.Tensor:
    """Σ_w ‖Σ_{i: x_i = w} g_i‖² over chosen positions, without learning rate, shape (B,); `squares` are ‖g_i‖²."""
    chosen_tokens_BK, rows_B = tokens_BL.gather(1, chosen_BK), torch.arange(len(tokens_BL), device=tokens_BL.device)
    keys_BK = rows_B[:, None] * (tokens_BL.max() + 1) + chosen_tokens_BK
    _, words_BK, counts_W = torch.unique(keys_BK, return_inverse=True, return_counts=True)
    again_BK = counts_W[words_BK] > 1  # most words stand once in a text, and need no sum
    totals_B = squares_BL.gather(1, chosen_BK).double().masked_fill(again_BK, 0).sum(dim=1)
    examples_M, at_M = again_BK.nonzero(as_tuple=True)
    again_A, words_M = torch.unique(words_BK[examples_M, at_M], return_inverse=True)
    sums_AD = torch.zeros(len(again_A), gradients_BLD.shape[2], device=gradients_BLD.device)
    sums_AD.index_add_(0, words_M, gradients_BLD[examples_M, chosen_BK[examples_M, at_M]])
    examples_A = torch.zeros_like(again_A).scatter_(0, words_M, examples_M)
    return totals_B.index_add_(0, examples_A, _squares(sums_AD).double())
