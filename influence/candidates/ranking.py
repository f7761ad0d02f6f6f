"""Candidates ranked by how much training on them would help the chosen test sentences.

    score > 0   a gradient step on the row lowers the loss of the chosen test sentences, on the average, on their given labels
    score < 0   it raises that loss

The unit is nats, for one step at each checkpoint's learning rate; the score is the mean of the row's scores with each of the
sentences by the same method (influence/candidates/mistakes.py). A row without a label is scored on the label that the last
checkpoint finds most probable: if that is wrong, so is what the score says.

Axes: N ranked candidates, E those at the top, M test sentences, Y labels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from influence.attribution import get_method
from influence.candidates.alike import likeness
from influence.candidates.helped import most_helped
from influence.candidates.mistakes import chosen_tests, mean_gradients
from influence.candidates.rows import CandidateRows, Role, read_candidates
from influence.candidates.scoring import Score, scored
from influence.candidates.settings import CandidateSettings
from influence.candidates.shown import with_mistakes, with_words
from influence.models import encode
from influence.reading import FormOptions
from influence.types import FloatArray, IntArray, Progress, StageKind, silent
from influence.workspace import WorkspaceReader, id_ranks


@dataclass(frozen=True)
class Candidates:
    """A ranking. `frame` has a row for every row of the file: the ranked ones in order, then those left out in the file's.

    Columns: rank (from 1; none for a row left out), example_id, text, text_pair (of pairs), label, label_is_guess, predicted,
    confidence (of that), score, self_influence, alike (the largest tf-idf cosine with a test sentence to be helped), words (of
    the top rows, a list of word, side, start, end, score that sums to the score; side -1: a start or end token), mistake_id,
    mistake_score, mistake_text, mistake_label, mistake_predicted (of the top rows, the test sentence with which the score is
    largest, where it is above 0), left_out (why a row is not ranked).
    """

    frame: pd.DataFrame
    settings: CandidateSettings
    tests: int  # how many sentences were to be helped
    wrong: bool  # whether they are the wrong predictions, not chosen ones
    notes: list[str]

    @property
    def guessed(self) -> int:
        """How many ranked rows are scored on a label that was guessed."""
        return int((self.frame["label_is_guess"] & self.frame["rank"].notna()).sum())


def rank_candidates(
    workspace: WorkspaceReader,
    name: str | Path,
    settings: CandidateSettings | None = None,
    *,
    role: Role | None = None,
    form: FormOptions | None = None,
    progress: Progress = silent,
) -> Candidates:
    """Rank the rows of a file. Raises `DataError` for a file that cannot be used, `QueryError` for what does not exist."""
    settings = settings or CandidateSettings()
    method, tests_M = get_method(settings.method), chosen_tests(workspace, settings)
    rows = read_candidates(workspace, str(name), role or Role(), form)
    live, kept = workspace.live, rows.ranked
    texts, pairs = ([side[row] for row in kept] if side is not None else None for side in (rows.texts, rows.pairs))
    assert texts is not None
    encoding = encode(live.tokenizer, texts, pairs, max_length=live.longest, stage=StageKind.TOKENIZE, progress=progress)
    probabilities_NY = live.probabilities(encoding, progress)
    labels_N = _labels(workspace, [rows.labels[row] for row in kept], probabilities_NY)
    means = mean_gradients(workspace, tests_M, method, progress)
    found = dict(scored(workspace, encoding, labels_N, means, method, progress))
    scores = [found[number] for number in range(len(kept))]
    alike_N = _alike(workspace, texts, pairs, tests_M)
    order_N = _order([rows.ids[row] for row in kept], scores, alike_N, settings.rank)
    top_E = order_N[: settings.top]
    helped = most_helped(workspace, encoding, labels_N, top_E, tests_M, method, progress)
    frame = _frame(workspace, rows, probabilities_NY, labels_N, scores, order_N)
    frame.insert(frame.columns.get_loc("left_out"), "alike", pd.Series(alike_N[order_N]).reindex(range(len(frame))))  # type: ignore[arg-type]
    frame = with_words(frame, live.tokenizer, encoding, top_E, [scores[n].words_W if method.words else None for n in top_E])
    frame = with_mistakes(frame, workspace, [helped.get(number) for number in top_E.tolist()])
    return Candidates(frame, settings, len(tests_M), not settings.test_ids, rows.notes)


def _labels(workspace: WorkspaceReader, names: list[str], probabilities_NY: FloatArray) -> IntArray:
    """The number of each row's label, the most probable one where it has none."""
    number = {name: number for number, name in enumerate(workspace.info.labels)}
    guesses_N = probabilities_NY.argmax(axis=1).tolist()
    return np.array([number.get(name, guess) for name, guess in zip(names, guesses_N, strict=True)], dtype=np.int64)


def _alike(workspace: WorkspaceReader, texts: list[str], pairs: list[str] | None, tests_M: IntArray) -> FloatArray:
    found = workspace.store.texts("test")
    tests = [" ".join(filter(None, found[test])) for test in tests_M.tolist()]
    return likeness(texts if pairs is None else [f"{text} {pair}" for text, pair in zip(texts, pairs, strict=True)], tests)


def _order(ids: list[str], scores: list[Score], alike_N: FloatArray, rank: str) -> IntArray:
    """Places from the first to the last in rank; equal values in the order of their ids."""
    values_N = np.array([one.score for one in scores]) if rank != "alike" else alike_N
    if rank == "relative":
        lengths_N = np.sqrt([one.self_influence for one in scores])
        values_N = np.divide(values_N, lengths_N, out=np.zeros_like(values_N), where=lengths_N > 0)
    return np.lexsort((id_ranks(ids), -values_N))


def _frame(
    workspace: WorkspaceReader,
    rows: CandidateRows,
    probabilities_NY: FloatArray,
    labels_N: IntArray,
    scores: list[Score],
    order_N: IntArray,
) -> pd.DataFrame:
    """The ranked rows in order, then those left out, without the columns of the top."""
    kept, names = np.array(rows.ranked), np.array(workspace.info.labels, dtype=object)
    order = [*kept[order_N].tolist(), *rows.left_out]
    ranked = len(order_N)

    def column(values: object, dtype: str) -> pd.Series:
        return pd.Series(values, dtype=dtype).reindex(range(len(order)))

    frame = pd.DataFrame({"rank": column(range(1, ranked + 1), "Int64"), "example_id": [rows.ids[row] for row in order]})
    frame["text"] = [rows.texts[row] for row in order]
    if rows.pairs is not None:
        frame["text_pair"] = [rows.pairs[row] for row in order]
    own = [rows.labels[row] for row in order]
    guessed = names[labels_N[order_N]].tolist()
    frame["label"] = [given or (guessed[place] if place < ranked else None) for place, given in enumerate(own)]
    frame["label_is_guess"] = [not given and place < ranked for place, given in enumerate(own)]
    frame["predicted"] = column(names[probabilities_NY.argmax(axis=1)[order_N]], "object")
    frame["confidence"] = column(probabilities_NY.max(axis=1)[order_N], "float64")
    frame["score"] = column([scores[n].score for n in order_N], "float64")
    frame["self_influence"] = column([scores[n].self_influence for n in order_N], "float64")
    frame["left_out"] = pd.Series([None] * ranked + list(rows.left_out.values()), dtype=object)
    return frame
