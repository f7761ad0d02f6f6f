"""Which training examples, through which words, made the model say what it said about one sentence.

Sign: a score above 0 is a proponent (training on it lowered the loss on the explained label), below 0 an opponent.
"""

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from influence.attribution import (
    DEFAULT_METHOD,
    Matches,
    Method,
    MethodSettings,
    Query,
    SpecialTokens,
    Strongest,
    TrainingSet,
    WordIndex,
    get_method,
)
from influence.data import SPECIAL_SIDE
from influence.engines import Arguments, Step
from influence.errors import QueryError
from influence.explanations.explanation import (
    Explanation,
    Influence,
    Match,
    Sentence,
    as_sentence,
    check_label,
    positions_of,
    sentences,
)
from influence.explanations.scores import training_set
from influence.explanations.spreading import as_answer, ask, joined, opened_here
from influence.formulas import extremes
from influence.types import FloatArray, IntArray, Progress, silent
from influence.workspace import STORED_TOP, StoredExample, WorkspaceReader


def explain(
    workspace: WorkspaceReader,
    *,
    test_id: str | None = None,
    train_id: str | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    method: str = DEFAULT_METHOD,
    top: int = 10,
    special_tokens: SpecialTokens = "include",
    settings: MethodSettings | None = None,
    progress: Progress = silent,
) -> Explanation:
    """Explain the loss of a test example, of a training example, or of any text, on a label.

    The label is by default the example's own, for a typed text the predicted one. A training example is explained by
    the others, by word methods only, and on its own label. `settings` are of the methods that work on a layer. Raises
    `QueryError` for an unknown id, label or method, for a method that the model cannot serve, and for a text that does
    not fit the workspace.
    """
    _check_characters(test_id, train_id, text, text_pair)
    if top < 1:
        raise QueryError(f"--top {top}: must be 1 or more")
    chosen = _with_special_tokens(get_method(method), special_tokens)
    chosen = chosen.with_settings(settings or chosen.settings)
    if sum(which is not None for which in (test_id, train_id, text)) != 1:
        raise QueryError("give either a test id, a training id or a text")
    asked = _asked(workspace, test_id, train_id, text, text_pair, label, method)
    if asked.stored is not None and method == DEFAULT_METHOD and special_tokens == "include" and top <= STORED_TOP:
        proponents, opponents = _stored(workspace, asked.stored, top)
    else:
        proponents, opponents = _computed(workspace, asked, chosen, top, training_set(workspace, progress))
    return Explanation(asked.sentence, asked.label, method, proponents, opponents)


def _asked(
    workspace: WorkspaceReader,
    test_id: str | None,
    train_id: str | None,
    text: str | None,
    text_pair: str | None,
    label: str | None,
    method: str,
) -> "_Question":
    if test_id is not None:
        return _of_test(workspace, test_id, label)
    if train_id is not None:
        return _of_train(workspace, train_id, label, get_method(method))
    return _of_text(workspace, text, text_pair, label)


def all_scores(
    workspace: WorkspaceReader,
    *,
    test_id: str,
    method: str = DEFAULT_METHOD,
    settings: MethodSettings | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The score of every training example for a test example: columns train_id, score, in the data's order."""
    _check_characters(test_id)
    chosen = get_method(method)
    query = _of_test(workspace, test_id, None).query(chosen)
    scores_N = chosen.with_settings(settings or chosen.settings).score(training_set(workspace, progress), query).sum(axis=0)
    return pd.DataFrame({"train_id": workspace.train_ids(), "score": scores_N})


@dataclass(frozen=True)
class _Question:
    """What is to be explained; `stored` is its position when it is a test example on its own label."""

    workspace: WorkspaceReader
    sentence: Sentence
    label: str
    stored: int | None = None
    train: int | None = None  # its position when it is a training example

    def query(self, method: Method) -> Query:
        bare = not method.needs_gradients and self.stored is not None
        found = self.workspace.queries.bare(self.stored) if bare and self.stored is not None else self._gradients()
        return replace(found, text="\n".join(filter(None, (self.sentence.text, self.sentence.text_pair))))

    def as_arguments(self) -> dict[str, str | None]:
        """What asks it anew, of somebody else."""
        sentence, own = self.sentence, dict.fromkeys(("test_id", "train_id", "text", "text_pair"))
        if self.train is not None:
            return {**own, "train_id": sentence.id, "label": self.label}
        if sentence.id is not None:
            return {**own, "test_id": sentence.id, "label": self.label}
        return {**own, "text": sentence.text, "text_pair": sentence.text_pair, "label": self.label}

    def _gradients(self) -> Query:
        if self.train is not None:
            return self.workspace.train_queries[self.train]
        if self.stored is not None:
            return self.workspace.queries[self.stored]
        live, sentence = self.workspace.live, self.sentence
        encoding = live.predict(sentence.text, sentence.text_pair).encoding
        return live.query(encoding, self.workspace.info.labels.index(self.label), f"text\x1f{sentence.text}")


def _of_test(workspace: WorkspaceReader, test_id: str, label: str | None) -> _Question:
    position = positions_of(workspace, "test", [test_id])[test_id]
    sentence = sentences(workspace, "test", [position])[position]
    check_label(workspace, label)
    target = label or sentence.label
    return _Question(workspace, sentence, target, position if target == sentence.label else None)


def _of_train(workspace: WorkspaceReader, train_id: str, label: str | None, method: Method) -> _Question:
    position = positions_of(workspace, "train", [train_id])[train_id]
    sentence = sentences(workspace, "train", [position])[position]
    check_label(workspace, label)
    if label not in (None, sentence.label):
        raise QueryError(f"a training example is explained on its own label, {sentence.label!r}, not on {label!r}")
    if method.selection is None or not method.selection.top_k:
        raise QueryError(f"--method {method.id}: only its top-k words are stored of a training example")
    return _Question(workspace, sentence, sentence.label, train=position)


def _of_text(workspace: WorkspaceReader, text: str | None, text_pair: str | None, label: str | None) -> _Question:
    if not text or not text.strip():
        raise QueryError("the text is empty; give at least one word")
    if workspace.info.has_pairs and not (text_pair and text_pair.strip()):
        raise QueryError("this workspace classifies pairs of texts: give the second one too (--text-pair)")
    if not workspace.info.has_pairs and text_pair is not None:
        raise QueryError("this workspace classifies single texts: leave --text-pair out")
    check_label(workspace, label)
    found = workspace.live.predict(text, text_pair)
    names = workspace.info.labels
    predicted = names[int(found.probabilities_Y.argmax())]
    specials = iter(found.special_words)
    spans = zip(
        found.encoding.word_sides_W.tolist(),
        found.encoding.word_starts_W.tolist(),
        found.encoding.word_ends_W.tolist(),
        strict=True,
    )
    words = [(side, start, end, next(specials) if side == SPECIAL_SIDE else None) for side, start, end in spans]
    example = StoredExample(
        "", text, text_pair, "", bool(found.encoding.truncated_N[0]), predicted, found.probabilities_Y.tolist(), words
    )
    return _Question(workspace, replace(as_sentence(workspace, example), id=None), label or predicted)


def _check_characters(*values: str | None) -> None:
    for value in values:
        try:
            (value or "").encode()
        except UnicodeEncodeError as error:
            raise QueryError(f"{value!r} is not text: it holds a byte that is no UTF-8, or half a surrogate pair") from error


def _with_special_tokens(method: Method, special_tokens: SpecialTokens) -> Method:
    if special_tokens not in get_args(SpecialTokens):
        raise QueryError(f"--special-tokens {special_tokens}: choose one of {', '.join(get_args(SpecialTokens))}")
    if special_tokens == "include":
        return method
    if method.selection is None:
        raise QueryError(f"--special-tokens {special_tokens}: method {method.id!r} does not work on words")
    return method.with_selection(replace(method.selection, special_tokens=special_tokens))


def _stored(workspace: WorkspaceReader, position: int, top: int) -> tuple[list[Influence], list[Influence]]:
    rows = workspace.store.influences(position, DEFAULT_METHOD, top)
    trains = [train for train, *_ in rows]
    examples = sentences(workspace, "train", trains)
    matches: dict[int, list[Match]] = {train: [] for train in trains}
    for train, test_word, train_word, score in workspace.store.contributions(position, trains):
        matches[train].append(Match(test_word, train_word, score))
    found = [
        Influence(examples[train], score, checkpoint_scores, special_score, matches[train])
        for train, score, special_score, checkpoint_scores in rows
    ]
    return [i for i in found if i.score > 0], [i for i in found if i.score < 0]


def _computed(
    workspace: WorkspaceReader, asked: _Question, method: Method, top: int, training: TrainingSet
) -> tuple[list[Influence], list[Influence]]:
    query = asked.query(method)
    if method.selection is not None:
        found = _strongest(workspace, asked, method, top, training, query)
    else:
        scores_CN = method.score(training, query)
        one, other = extremes(scores_CN.sum(axis=0), workspace.tie_ranks_N, top)
        found = Strongest(one, other, scores_CN.T[one], scores_CN.T[other])
    trains = sentences(workspace, "train", [*found.proponents_E.tolist(), *found.opponents_E.tolist()])
    sides = (
        (found.proponents_E, found.proponent_scores_EC, found.proponent_matches),
        (found.opponents_E, found.opponent_scores_EC, found.opponent_matches),
    )
    proponents, opponents = (
        _influences(examples_E, scores_EC, matches or _matches(training, query, method, examples_E), trains)
        for examples_E, scores_EC, matches in sides
    )
    return proponents, opponents


def _matches(training: TrainingSet, query: Query, method: Method, examples_E: IntArray) -> Matches | None:
    """The words that the scores of some examples come of; None for a method that has none."""
    if method.selection is None or not len(examples_E):
        return None
    return training.matches(query, examples_E, method.selection)


def _strongest(
    workspace: WorkspaceReader, asked: _Question, method: Method, top: int, training: TrainingSet, query: Query
) -> Strongest:
    selection = method.selection
    assert selection is not None
    if isinstance(training.words(selection), WordIndex):  # else it is no scan of the index
        question = {**asked.as_arguments(), "method": method.id, "special_tokens": selection.special_tokens, "top": top}
        answers = ask(workspace, strongest_of_share, question)
        if answers is not None:
            return joined(answers, workspace.tie_ranks_N, top, len(workspace.learning_rates_C))
    # Its influence on itself explains nothing.
    return training.strongest(query, selection, workspace.tie_ranks_N, top, leaving_out=asked.train)


def strongest_of_share(arguments: Arguments, step: Step) -> list[dict[str, Any]]:
    """A piece of work: the strongest examples for a question among those of a `share` of a workspace's segments."""
    workspace = opened_here(arguments["workspace"], arguments["build"])
    asked = _asked(
        workspace, **{name: arguments[name] for name in ("test_id", "train_id", "text", "text_pair", "label", "method")}
    )
    method = _with_special_tokens(get_method(arguments["method"]), arguments["special_tokens"])
    assert method.selection is not None
    place, places = arguments["share"]
    training = training_set(workspace).over(place, places)
    ranks_N, top = workspace.tie_ranks_N, arguments["top"]
    return as_answer(training.strongest(asked.query(method), method.selection, ranks_N, top, leaving_out=asked.train))


def _influences(
    examples_E: IntArray, scores_EC: FloatArray, found: Matches | None, trains: dict[int, Sentence]
) -> list[Influence]:
    matches: list[list[Match]] = [[] for _ in examples_E]
    special_E = np.zeros(len(examples_E))
    if found is not None:
        for example, test_word, train_word, score, special in zip(*(column.tolist() for column in found[:5]), strict=True):
            matches[example].append(Match(test_word, train_word, score))
            special_E[example] += score if special else 0.0
    return [
        Influence(
            trains[example],
            float(scores_EC[number].sum()),
            scores_EC[number].tolist(),
            float(special_E[number]),
            matches[number],
        )
        for number, example in enumerate(examples_E.tolist())
    ]
