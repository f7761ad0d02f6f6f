"""Writing `results.duckdb` from a finished index: predictions, self-influence, and every test example's explanation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from influence.attribution import DEFAULT_METHOD, METHODS, Matches, WordIndex, queries_at_once
from influence.data import SPECIAL_SIDE, Dataset
from influence.files import load_array, write_json
from influence.formulas import extremes, tracin_term
from influence.models import Encoding
from influence.segments import SplitSegments
from influence.types import FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace.builds import EpochInfo
from influence.workspace.result_tables import ResultStore
from influence.workspace.workspace import TIE_RANKS, epoch_numbers, id_ranks, open_index, open_queries, open_segments

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from influence.checkpoints import Epoch

FAR_BELOW, MUCH_BETTER = 0.75, 0.2  # share of the majority's accuracy; how much more another reading must get right
ROWS_AT_ONCE = 1 << 20  # of a table, on the way into it
STORED_TOP = 100  # proponents and opponents kept for each test example
# Share of the pull of a mistake's stored opponents from which one of them, or a group or a word, is said to push it: five times
# what each of a hundred equal ones would carry. Being among the hundred says little (docs/mathematics.md).
LEAST_PULL = 0.05


def write_results(
    build: Path,
    data: Mapping[str, Dataset],
    names: Sequence[str],
    tokenizer: "PreTrainedTokenizerFast",
    epochs: Sequence["Epoch"],
    *,
    progress: Progress = silent,
) -> list[EpochInfo]:
    """Fill the results file of a build whose index is whole; begun again from nothing if it was interrupted.

    Returns what is known of each checkpoint of the run, whether or not scores are summed over it.
    """
    path = build / "results.duckdb"
    for leftover in (path, path.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
    rates_C = np.array([epoch.learning_rate for epoch in epochs if epoch.checkpoint is not None])
    index = open_index(build / "index", rates_C)
    with ResultStore(path, read_only=False) as store:
        for split, dataset in data.items():
            encoding = Encoding.load(build / "index" / split / "encoding")
            _insert_examples(store, split, dataset, encoding, tokenizer)
            for number, epoch in enumerate(epochs):
                _insert_predictions(store, build, split, number, epoch.checkpoint, names)
            _insert_self_influence(store, split, open_segments(build / "index", split, len(rates_C)), rates_C)
        infos = [_epoch_info(build, number, epoch) for number, epoch in enumerate(epochs)]
        rows = [
            {"checkpoint": number, **asdict(info.as_checkpoint), "indexed": info.checkpoint} for number, info in enumerate(infos)
        ]
        store.append({"checkpoints": pa.Table.from_pylist(rows)})
        ranks_N = id_ranks(data["train"].ids)
        np.save(build / TIE_RANKS, ranks_N.astype(np.int32))
        _insert_influences(store, index, build / "index", ranks_N, progress)
    write_json(build / "results.json", {"top": STORED_TOP})
    return infos


def _blocks(words_N: IntArray) -> Iterator[slice]:
    """Examples in order, as many at a time as have `ROWS_AT_ONCE` words or are so many themselves, but at least one.

    So no column is ever longer: Arrow counts the bytes of a column of strings with 32 bits, and what is held in memory does not
    grow with the data.
    """
    ends_N = np.cumsum(np.maximum(words_N, 1), dtype=np.int64)
    start = done = 0
    while start < len(ends_N):
        stop = max(int(np.searchsorted(ends_N, done + ROWS_AT_ONCE, side="right")), start + 1)
        yield slice(start, stop)
        start, done = stop, int(ends_N[stop - 1])


def _insert_examples(
    store: ResultStore, split: str, dataset: Dataset, encoding: Encoding, tokenizer: "PreTrainedTokenizerFast"
) -> None:
    for block in _blocks(np.diff(encoding.word_offsets_N1)):
        positions_B = np.arange(block.start, block.stop, dtype=np.int32)
        store.insert(
            "examples",
            {
                "split": pa.repeat(split, len(positions_B)),
                "position": positions_B,
                "id": dataset.ids[block],
                "text": dataset.texts[block],
                "text_pair": pa.array([None] * len(positions_B) if dataset.pairs is None else dataset.pairs[block], pa.string()),
                "label": dataset.labels[block],
                "text_sha256": dataset.text_hashes(block),
                "truncated": encoding.truncated_N[block],
            },
        )
        first_B1 = encoding.word_offsets_N1[block.start : block.stop + 1]
        words, counts_B = slice(int(first_B1[0]), int(first_B1[-1])), np.diff(first_B1)
        store.insert(
            "words",
            {
                "split": pa.repeat(split, words.stop - words.start),
                "position": np.repeat(positions_B, counts_B),
                "word": np.arange(words.start, words.stop) - np.repeat(first_B1[:-1], counts_B),
                "side": encoding.word_sides_W[words],
                "start_at": encoding.word_starts_W[words],
                "end_at": encoding.word_ends_W[words],
                "special": pa.array(_special_words(encoding, block, words, tokenizer), pa.string()),
            },
        )


def _special_words(encoding: Encoding, block: slice, words: slice, tokenizer: "PreTrainedTokenizerFast") -> Any:
    """The token of every start or end word of a block of examples, None for words of the text."""
    special_W = encoding.word_sides_W[words] == SPECIAL_SIDE
    rows = slice(int(encoding.offsets_N1[block.start]), int(encoding.offsets_N1[block.stop]))
    strings = np.full(len(special_W), None, dtype=object)
    # A start or end token is a word of one token, in the same order among words as among rows.
    tokens = encoding.tokens_R[rows][encoding.special_R[rows]]
    strings[special_W] = tokenizer.convert_ids_to_tokens(tokens.tolist())
    return strings


def _insert_predictions(
    store: ResultStore, build: Path, split: str, number: int, checkpoint: int | None, names: Sequence[str]
) -> None:
    probabilities, losses = (epoch_numbers(build, split, number, checkpoint, name) for name in ("probabilities", "losses"))
    for (start, probabilities_nY), (_, losses_n) in zip(probabilities, losses, strict=True):
        for block in _blocks(np.full(len(losses_n), probabilities_nY.shape[1])):
            probabilities_BY = probabilities_nY[block]
            n = len(probabilities_BY)
            store.insert(
                "predictions",
                {
                    "split": pa.repeat(split, n),
                    "position": np.arange(start + block.start, start + block.stop, dtype=np.int32),
                    "checkpoint": np.full(n, number, dtype=np.int32),
                    "predicted": [names[index] for index in probabilities_BY.argmax(axis=1)],
                    "confidence": probabilities_BY.max(axis=1),
                    "loss": losses_n[block],
                    "probabilities": _column(probabilities_BY),
                },
            )


def _insert_self_influence(store: ResultStore, split: str, segments: SplitSegments, rates_C: FloatArray) -> None:
    """Σ_c η_c Σ_w ‖g_w‖², over the top-k positions and over all."""
    totals_N2 = np.asarray(sum(tracin_term(rate, segments.column("self_influence", c)) for c, rate in enumerate(rates_C)))
    for column, method in enumerate(("tracin-we-topk", "tracin-we")):
        for block in _blocks(np.ones(len(totals_N2), dtype=np.int64)):
            scores_B = totals_N2[block, column]
            store.insert(
                "self_influence",
                {
                    "split": pa.repeat(split, len(scores_B)),
                    "position": np.arange(block.start, block.stop, dtype=np.int32),
                    "method": pa.repeat(method, len(scores_B)),
                    "score": scores_B,
                },
            )


def _epoch_info(build: Path, number: int, epoch: "Epoch") -> EpochInfo:
    def accuracy(split: str) -> float:
        labels_N = load_array(build / "index" / split / "labels.npy")
        return float((_predicted(build, split, number, epoch.checkpoint) == labels_N).mean())

    losses_M = np.concatenate([losses_B for _, losses_B in epoch_numbers(build, "test", number, epoch.checkpoint, "losses")])
    test_loss = float(losses_M.mean(dtype=np.float64))
    return EpochInfo(
        epoch.name, epoch.learning_rate, epoch.train_loss, accuracy("train"), test_loss, accuracy("test"), epoch.checkpoint
    )


def _predicted(build: Path, split: str, epoch: int, checkpoint: int | None) -> IntArray:
    """The most probable label of every example of a split after an epoch of the run."""
    blocks = epoch_numbers(build, split, epoch, checkpoint, "probabilities")
    return np.concatenate([probabilities_BY.argmax(axis=1) for _, probabilities_BY in blocks])


def swapped_labels(build: Path, names: Sequence[str], epoch: int, checkpoint: int) -> list[str]:
    """A warning where the model of a checkpoint seems to mean other labels by its outputs than the training file does.

    That is where it is right on far fewer training examples than one that always says the most frequent label, or where
    renaming its outputs, one to one, would make it right on far more.
    """
    from scipy.optimize import linear_sum_assignment

    predicted_N = _predicted(build, "train", epoch, checkpoint)
    labels_N = load_array(build / "index" / "train" / "labels.npy")
    counts_YY = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts_YY, (predicted_N, labels_N), 1)
    outputs_Y, meant_Y = linear_sum_assignment(counts_YY, maximize=True)
    n, most = len(labels_N), int(np.bincount(labels_N).argmax())
    right, majority, renamed = counts_YY.trace() / n, float((labels_N == most).mean()), counts_YY[outputs_Y, meant_Y].sum() / n
    chance = 3 * np.sqrt(majority * (1 - majority) / n)
    far_below = right < min(FAR_BELOW * majority, majority - chance)
    if not far_below and not (renamed > majority and renamed - right > max(MUCH_BETTER, chance)):
        return []
    moved = [f"its {names[one]} read as {names[other]}" for one, other in zip(outputs_Y, meant_Y, strict=True) if one != other]
    mended = f" (with {', '.join(moved[:4])}: on {renamed:.1%})" if renamed > max(right, majority) else ""
    return [
        f"the labels look swapped: the model is right on {right:.1%} of the training file{mended}, where always saying "
        f"{names[most]} is on {majority:.1%}; compare id2label in the model's config.json with what the file's labels mean"
    ]


def _insert_influences(store: ResultStore, index: WordIndex, folder: Path, tie_ranks_N: IntArray, progress: Progress) -> None:
    """The strongest proponents and opponents of every test example by the default method, with their words."""
    queries = open_queries(folder, len(index.learning_rates_C))
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    for positions, batch in queries.in_batches(queries_at_once(len(index.labels_N))):
        influences, contributions = [], []
        scores_QN = index.word_scores_many(batch, selection)
        for position, query, scores_N in zip(positions.tolist(), batch, scores_QN, strict=True):
            examples_E = np.concatenate(extremes(scores_N, tie_ranks_N, STORED_TOP))
            matches = index.matches(query, examples_E, selection)
            influences.append(_influences(position, examples_E, matches, tie_ranks_N))
            contributions.append(_contributions(position, examples_E, matches))
        _insert_all(store, "influences", influences)
        _insert_all(store, "contributions", contributions)
        progress(StageKind.INFLUENCES, int(positions[-1]) + 1, len(queries))


def _influences(position: int, examples_E: IntArray, matches: Matches, tie_ranks_N: IntArray) -> dict[str, Any]:
    """A test example's rows of `influences`, by rank: negative for opponents, the strongest of either side nearest to 0."""
    scores_E = matches.checkpoint_scores_EC.sum(axis=1)
    special_E = np.bincount(matches.examples_X[matches.special_X], matches.scores_X[matches.special_X], len(examples_E))
    # Ranks follow the exact (float64) scores that are stored; selection used the float32 ones of the block product.
    proponents, opponents = extremes(scores_E, tie_ranks_N[examples_E], len(examples_E))
    kept = np.concatenate([opponents[::-1], proponents])
    return {
        "test": np.full(len(kept), position),
        "train": examples_E[kept],
        "method": np.full(len(kept), DEFAULT_METHOD),
        "rank": np.concatenate([np.arange(-len(opponents), 0), np.arange(1, len(proponents) + 1)]),
        "score": scores_E[kept],
        "special_score": special_E[kept],
        "checkpoint_scores": matches.checkpoint_scores_EC[kept],
    }


def _contributions(position: int, examples_E: IntArray, matches: Matches) -> dict[str, Any]:
    """A test example's rows of `contributions`: the words of the examples that have a rank."""
    chosen_X = np.abs(matches.checkpoint_scores_EC.sum(axis=1))[matches.examples_X] > 0
    return {
        "test": np.full(int(chosen_X.sum()), position),
        "train": examples_E[matches.examples_X[chosen_X]],
        "test_word": matches.query_words_X[chosen_X],
        "train_word": matches.train_words_X[chosen_X],
        "score": matches.scores_X[chosen_X],
    }


def _insert_all(store: ResultStore, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    store.insert(table, {name: _column(np.concatenate([one[name] for one in rows])) for name in rows[0]})


def _column(values: FloatArray) -> Any:
    """An array as a column of a table: one with two axes as a list a row."""
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1]) if values.ndim == 2 else values
