"""Writing `results.duckdb` from a finished index: predictions, self-influence, and every test example's explanation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from influence.attribution import DEFAULT_METHOD, METHODS, Query, WordIndex, extremes, queries_at_once, tracin_term
from influence.data import SPECIAL_SIDE, Dataset
from influence.files import load_array, write_json
from influence.models import Encoding
from influence.types import FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace.builds import CheckpointInfo
from influence.workspace.result_tables import ResultStore
from influence.workspace.workspace import id_ranks, open_index, open_queries

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from influence.models import Checkpoint

STORED_TOP = 100  # proponents and opponents kept for each test example


def write_results(
    build: Path,
    data: Mapping[str, Dataset],
    names: Sequence[str],
    tokenizer: "PreTrainedTokenizerFast",
    checkpoints: Sequence["Checkpoint"],
    *,
    progress: Progress = silent,
) -> list[CheckpointInfo]:
    """Fill the results file of a build whose index is whole; begun again from nothing if it was interrupted."""
    path = build / "results.duckdb"
    for leftover in (path, path.with_suffix(".duckdb.wal")):
        leftover.unlink(missing_ok=True)
    rates_C = np.array([checkpoint.learning_rate for checkpoint in checkpoints])
    index = open_index(build / "index", rates_C)
    with ResultStore(path, read_only=False) as store:
        for split, dataset in data.items():
            encoding = Encoding.load(build / "index" / split / "encoding")
            _insert_examples(store, split, dataset, encoding, tokenizer)
            for number in range(len(rates_C)):
                _insert_predictions(store, split, number, build / "index" / split / str(number), names)
            _insert_self_influence(store, split, build / "index" / split, rates_C)
        infos = [
            CheckpointInfo(*checkpoint, *_accuracy_and_losses(build / "index", number))
            for number, checkpoint in enumerate(checkpoints)
        ]
        store.insert(
            "checkpoints",
            {
                "checkpoint": list(range(len(infos))),
                **{name: [getattr(info, name) for info in infos] for name in CheckpointInfo.__dataclass_fields__},
            },
        )
        _insert_influences(store, index, build / "index", id_ranks(data["train"].ids), progress)
    write_json(build / "results.json", {"top": STORED_TOP})
    return infos


def _insert_examples(
    store: ResultStore, split: str, dataset: Dataset, encoding: Encoding, tokenizer: "PreTrainedTokenizerFast"
) -> None:
    n = len(dataset)
    store.insert(
        "examples",
        {
            "split": [split] * n,
            "position": np.arange(n, dtype=np.int32),
            "id": dataset.ids,
            "text": dataset.texts,
            "text_pair": pa.array(dataset.pairs if dataset.pairs is not None else [None] * n, pa.string()),
            "label": dataset.labels,
            "text_sha256": dataset.text_hashes(),
            "truncated": np.asarray(encoding.truncated_N),
        },
    )
    counts_N = np.diff(encoding.word_offsets_N1)
    sides_W = np.asarray(encoding.word_sides_W)
    store.insert(
        "words",
        {
            "split": pa.repeat(split, len(sides_W)),
            "position": np.repeat(np.arange(n, dtype=np.int32), counts_N),
            "word": (np.arange(len(sides_W)) - np.repeat(encoding.word_offsets_N1[:-1], counts_N)).astype(np.int32),
            "side": sides_W,
            "start_at": np.asarray(encoding.word_starts_W),
            "end_at": np.asarray(encoding.word_ends_W),
            "special": pa.array(_special_words(encoding, tokenizer), pa.string()),
        },
    )


def _special_words(encoding: Encoding, tokenizer: "PreTrainedTokenizerFast") -> Any:
    """The token of every start or end word, None for words of the text."""
    special_W = np.asarray(encoding.word_sides_W) == SPECIAL_SIDE
    strings = np.full(len(special_W), None, dtype=object)
    # A start or end token is a word of one token, in the same order among words as among rows.
    tokens = np.asarray(encoding.tokens_R)[np.asarray(encoding.special_R)]
    strings[special_W] = [tokenizer.convert_ids_to_tokens(int(token)) for token in tokens]
    return strings


def _insert_predictions(store: ResultStore, split: str, number: int, folder: Path, names: Sequence[str]) -> None:
    probabilities_NY = load_array(folder / "probabilities.npy")
    n, labels = probabilities_NY.shape
    flat = pa.array(probabilities_NY.ravel())
    store.insert(
        "predictions",
        {
            "split": pa.repeat(split, n),
            "position": np.arange(n, dtype=np.int32),
            "checkpoint": np.full(n, number, dtype=np.int32),
            "predicted": [names[index] for index in probabilities_NY.argmax(axis=1)],
            "confidence": probabilities_NY.max(axis=1),
            "loss": load_array(folder / "losses.npy"),
            "probabilities": pa.ListArray.from_arrays(np.arange(0, (n + 1) * labels, labels, dtype=np.int32), flat),
        },
    )


def _insert_self_influence(store: ResultStore, split: str, folder: Path, rates_C: FloatArray) -> None:
    """Σ_c η_c Σ_w ‖g_w‖², over the top-k positions and over all."""
    totals_N2 = sum(tracin_term(rate, load_array(folder / str(c) / "self_influence.npy")) for c, rate in enumerate(rates_C))
    for column, method in enumerate(("tracin-we-topk", "tracin-we")):
        scores_N = np.asarray(totals_N2)[:, column]
        store.insert(
            "self_influence",
            {
                "split": pa.repeat(split, len(scores_N)),
                "position": np.arange(len(scores_N), dtype=np.int32),
                "method": pa.repeat(method, len(scores_N)),
                "score": scores_N,
            },
        )


def _accuracy_and_losses(index: Path, number: int) -> tuple[float, float, float]:
    def accuracy(split: str) -> float:
        predicted_N = load_array(index / split / str(number) / "probabilities.npy").argmax(axis=1)
        return float((predicted_N == load_array(index / split / "labels.npy")).mean())

    test_loss = float(load_array(index / "test" / str(number) / "losses.npy").mean(dtype=np.float64))
    return accuracy("train"), test_loss, accuracy("test")


def _insert_influences(store: ResultStore, index: WordIndex, folder: Path, tie_ranks_N: IntArray, progress: Progress) -> None:
    """The strongest proponents and opponents of every test example by the default method, with their words."""
    queries = open_queries(folder, len(index.learning_rates_C))
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    for positions, batch in queries.in_batches(queries_at_once(len(index.labels_N))):
        scores_QN = index.word_scores_many(batch, selection)
        columns = _Columns()
        for position, query, scores_N in zip(positions, batch, scores_QN, strict=True):
            _explain(columns, int(position), query, scores_N, index, tie_ranks_N)
        columns.insert(store)
        progress(StageKind.INFLUENCES, int(positions[-1]) + 1, len(queries))


def _explain(
    columns: "_Columns", position: int, query: Query, scores_N: FloatArray, index: WordIndex, tie_ranks_N: IntArray
) -> None:
    selection = METHODS[DEFAULT_METHOD].selection
    assert selection is not None
    proponents, opponents = extremes(scores_N, tie_ranks_N, STORED_TOP)
    examples_E = np.concatenate([proponents, opponents])
    matches = index.matches(query, examples_E, selection)
    scores_E = matches.checkpoint_scores_EC.sum(axis=1)
    special_E = np.zeros(len(examples_E))
    np.add.at(special_E, matches.examples_X[matches.special_X], matches.scores_X[matches.special_X])
    # Ranks follow the exact (float64) scores that are stored; selection used the float32 ones of the block product.
    order = np.lexsort((tie_ranks_N[examples_E], -scores_E))
    positive = order[scores_E[order] > 0]
    negative = np.lexsort((tie_ranks_N[examples_E], scores_E))
    negative = negative[scores_E[negative] < 0]
    ranks_E = np.zeros(len(examples_E), dtype=np.int32)
    ranks_E[positive] = np.arange(1, len(positive) + 1)
    ranks_E[negative] = -np.arange(1, len(negative) + 1)
    keep_E = ranks_E != 0
    columns.add(position, examples_E, keep_E, ranks_E, scores_E, special_E, matches)


class _Columns:
    """Rows of `influences` and `contributions` gathered over a batch of queries."""

    def __init__(self) -> None:
        self.influences: list[tuple[Any, ...]] = []
        self.contributions: list[tuple[Any, ...]] = []

    def add(
        self,
        position: int,
        examples_E: IntArray,
        keep_E: Any,
        ranks_E: IntArray,
        scores_E: FloatArray,
        special_E: FloatArray,
        matches: Any,
    ) -> None:
        kept = np.flatnonzero(keep_E)
        kept = kept[np.argsort(ranks_E[kept], kind="stable")]
        tests = np.full(len(kept), position, dtype=np.int32)
        self.influences.append(
            (tests, examples_E[kept], ranks_E[kept], scores_E[kept], special_E[kept], matches.checkpoint_scores_EC[kept])
        )
        chosen = keep_E[matches.examples_X]
        self.contributions.append(
            (
                np.full(int(chosen.sum()), position, dtype=np.int32),
                examples_E[matches.examples_X[chosen]],
                matches.query_words_X[chosen],
                matches.train_words_X[chosen],
                matches.scores_X[chosen],
            )
        )

    def insert(self, store: ResultStore) -> None:
        test, train, rank, score, special, checkpoints = (np.concatenate(c) for c in zip(*self.influences, strict=True))
        count = checkpoints.shape[1]
        offsets = np.arange(0, (len(test) + 1) * count, count, dtype=np.int32)
        store.insert(
            "influences",
            {
                "test": test,
                "train": train.astype(np.int32),
                "method": pa.repeat(DEFAULT_METHOD, len(test)),
                "rank": rank,
                "score": score,
                "special_score": special,
                "checkpoint_scores": pa.ListArray.from_arrays(offsets, pa.array(checkpoints.ravel())),
            },
        )
        test, train, test_word, train_word, score = (np.concatenate(c) for c in zip(*self.contributions, strict=True))
        store.insert(
            "contributions",
            {
                "test": test,
                "train": train.astype(np.int32),
                "test_word": test_word.astype(np.int32),
                "train_word": train_word.astype(np.int32),
                "score": score,
            },
        )
