"""Benchmark of queries on a finished index: one at a time, and a whole test split at once."""

import copy
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from influence.attribution.index import WordIndex, queries_at_once
from influence.attribution.live_model import LiveGradients
from influence.attribution.methods import METHODS, Method
from influence.attribution.query import Query
from influence.attribution.stored_queries import LiveQueries
from influence.gradients.positions import GradientSettings, WordGradients
from influence.models.encoding import common_tokens
from influence.segments.plan import REST, TOP, IndexSettings
from influence.segments.postings import Postings
from influence.types import FloatArray
from influence.workspace.workspace import open_index, open_queries
from tests.benchmarks.building import TOP_K, write
from tests.benchmarks.timing import peak_megabytes, seconds_of
from tests.benchmarks.workload import LEARNING_RATES, Split, Workload

ROUNDS = 5
SHOWN = 10  # proponents and opponents of an answer with words
RATES_C = np.array(LEARNING_RATES)


class QueryTimes(NamedTuple):
    """Milliseconds of each query (its median over the rounds), shape (Q,), and the bytes it has to read."""

    scores_Q: FloatArray  # a score for every training example
    answer_Q: FloatArray  # that, the strongest 10 + 10 and their words
    read_Q: FloatArray  # reading the same postings once and doing nothing with them
    bytes_Q: FloatArray


class BulkTimes(NamedTuple):
    """A whole test split against the whole training split, in a process of its own."""

    queries: int
    seconds: float
    one_at_a_time_seconds: float  # of as many queries, measured on some of them
    peak_megabytes: float | None
    before_megabytes: float | None  # when the index was open and nothing had been asked
    mapped_megabytes: float  # size of the postings, which count as resident once read
    gflop: float
    difference: float  # between the two ways, relative


def build(models: list[PreTrainedModel], workload: Workload, folder: Path) -> float:
    """Write a whole index, as a build lays it out; returns seconds of gradients and sorting."""
    vocabulary = len(workload.tokenizer)
    special_V = np.zeros(vocabulary, dtype=np.bool_)
    for name, split in (("train", workload.train), ("test", workload.test)):
        split.encoding.save(folder / name / "encoding")
        np.save(folder / name / "labels.npy", split.labels_N)
        special_V[np.unique(split.encoding.tokens_R[split.encoding.special_R])] = True
    np.save(folder / "special_tokens.npy", special_V)
    np.save(folder / "common_tokens.npy", common_tokens(workload.tokenizer, vocabulary) | special_V)
    settings = GradientSettings(device=torch.device("cpu"))
    start = time.perf_counter()
    for number, model in enumerate(models):
        with WordGradients(model, settings) as gradients:
            write(gradients, workload.train, folder / "train", number, IndexSettings(top_k=TOP_K, store_rest=True))
            write(gradients, workload.test, folder / "test", number, IndexSettings(top_k=TOP_K, exact=True))
    return time.perf_counter() - start


def live_queries(models: list[PreTrainedModel], split: Split) -> LiveQueries:
    """Examples as queries, their gradients made when asked for, as an analyst's are."""
    settings = GradientSettings(device=torch.device("cpu"))
    live = LiveGradients(lambda: [WordGradients(copy.deepcopy(model), settings) for model in models], top_k=TOP_K)
    return LiveQueries(split.encoding, split.labels_N, lambda: live)


def one_at_a_time(folder: Path, sentences: LiveQueries, method_id: str, *, queries: int) -> QueryTimes:
    """Time single queries, drawn at random from the test split, index warm."""
    index, method = open_index(folder, RATES_C), METHODS[method_id]
    chosen = np.random.default_rng(0).choice(len(sentences), size=min(queries, len(sentences)), replace=False)
    asked = sentences.several(chosen.tolist())
    blocks = [list(_blocks(index, query, method)) for query in asked]
    arms: list[Callable[[int], object]] = [
        lambda at: method.score(index, asked[at]).sum(axis=0),
        lambda at: _answer(index, asked[at], method),
        lambda at: [array.sum() for array in blocks[at]],
    ]
    seconds_RAQ = np.zeros((ROUNDS + 1, len(arms), len(asked)))
    for turn, arm in product(range(ROUNDS + 1), range(len(arms))):  # one query after another, as people ask them
        seconds_RAQ[turn, arm] = [seconds_of(partial(arms[arm], at)) for at in range(len(asked))]
    milliseconds_AQ = np.median(seconds_RAQ[1:], axis=0) * 1e3  # the first round warms up
    return QueryTimes(*milliseconds_AQ, np.array([sum(array.nbytes for array in arrays) for arrays in blocks]))


def all_at_once(folder: Path, *, sampled: int) -> BulkTimes:
    """Time the default method for the whole test split, in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_bulk, folder, sampled, torch.get_num_threads()).result()


def _bulk(folder: Path, sampled: int, threads: int) -> BulkTimes:
    torch.set_num_threads(threads)
    index, stored, method = open_index(folder, RATES_C), open_queries(folder, len(RATES_C)), METHODS["tracin-we-topk"]
    assert method.selection is not None
    size, before = queries_at_once(len(index.labels_N)), peak_megabytes()
    start = time.perf_counter()
    for _, batch in stored.in_batches(size):
        scores_QN = index.word_scores_many(batch, method.selection)
    seconds = time.perf_counter() - start
    peak = peak_megabytes()
    last = [method.score(index, query).sum(axis=0) for query in batch]
    difference = float(np.abs(scores_QN - np.stack(last)).max() / np.abs(scores_QN).max())
    sample = [stored[int(at)] for at in np.linspace(0, len(stored) - 1, min(sampled, len(stored)))]
    single = seconds_of(lambda: [method.score(index, query).sum(axis=0) for query in sample]) / len(sample)
    every = (index.postings(segment, number, TOP) for number in range(len(RATES_C)) for segment in index.split.segments)
    mapped = sum(len(postings) * 2 * postings.width for postings in every) / 2**20
    products = sum(_products(index, stored[position], method) for position in range(len(stored)))
    return BulkTimes(len(stored), seconds, single * len(stored), peak, before, mapped, products / 1e9, difference)


def _answer(index: WordIndex, query: Query, method: Method) -> object:
    assert method.selection is not None
    return index.strongest(query, method.selection, np.arange(len(index.labels_N)), SHOWN)


def _blocks(index: WordIndex, query: Query, method: Method) -> list[np.ndarray]:
    """All that a scan of the query's rows has to read."""
    found = []
    for postings, tokens in _tokens(index, query, method):
        arrays = dict(postings.scanned())
        for start, stop in zip(*(ends.tolist() for ends in postings.blocks(tokens)), strict=True):
            found += [array[start:stop] for array in arrays.values()]
    return found


def _products(index: WordIndex, query: Query, method: Method) -> int:
    """Floating-point operations of the query's inner products."""
    found = 0
    for postings, tokens in _tokens(index, query, method):
        starts, stops = postings.blocks(tokens)
        found += 2 * postings.width * int((stops - starts).sum())
    return found


def _tokens(index: WordIndex, query: Query, method: Method) -> list[tuple[Postings, np.ndarray]]:
    assert method.selection is not None
    found = []
    for number in range(len(query.checkpoints)):
        tokens = np.unique(query.tokens_L[index.token_kinds.positions(query, number, method.selection)])
        parts = (TOP,) if method.selection.top_k else (TOP, REST)
        found += [(index.postings(segment, number, part), tokens) for segment in index.split.segments for part in parts]
    return found
