"""Which words carry the most negative influence over the wrong test predictions, and through which training examples.

    against  <= 0, the sum of what the word carries below 0: training steps on those examples, through this word, raised
             the loss of those test examples on their given label
    support  >= 0, the sum of what it carries above 0
    score    against + support

Summed are the stored contributions (method tracin-we-topk) of the wrong test predictions: of each one's 100 strongest
opponents and 100 strongest proponents, and of no other training example. So `against` nears the whole from above, while
`score` depends on where the two lists end. The unit is that of a score, nats for one step at each checkpoint's learning
rate; a sum grows with the number of mistakes. A word is a whole word that both examples hold, its case folded; what one
word carries between a training and a test example is summed first and counted as one. What goes through a piece that two
different words share, as "fun" in "funnier", is no word's: it is summed apart, as are start and end tokens.

A mistake counts for a word that carries at least `LEAST_PULL` of all that pulls against it. A word is common, and listed only
when asked for, where it is a function word, or where more than `FREQUENT` of the training texts hold it and no label is much
more frequent among those than among all (`DISTINCTIVE` times): "film" among reviews of films, but not "good".
"""

import errno
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from influence.data import SPECIAL_SIDE, is_function_word, whole_span
from influence.errors import WorkspaceError
from influence.explanations.explanation import Sentence, Word, check_label, sentences
from influence.explanations.word_tables import WordStore, contributions, mistakes, spellings, train_examples
from influence.workspace import STORED_TOP, ResultStore, WorkspaceReader, build_lock, open_published, published, publishing

WORDS = "words"
SETTINGS = {"stored_top": STORED_TOP, "formula": 2}  # the formula counts up when the sums would come out differently
_WRITING = threading.Lock()  # several readers of one server may be the first to ask; the lock on disk only turns them away
# Kinds: common are function words, punctuation and frequent words, tokens start and end; a piece is shared by different words.
WORD, COMMON, TOKEN, PIECE = "word", "common", "token", "piece"
APART = (TOKEN, PIECE)  # no words
PIECES = "pieces of words"
FREQUENT, DISTINCTIVE = 0.1, 1.5
MOST_TEXTS = 20_000  # looked at for how frequent a word is
Spelt = tuple[str, bool]  # as written, and whether it is a start or end token


@dataclass(frozen=True, kw_only=True)
class MistakeFilter:
    """Which wrong test predictions to sum over; every condition must hold."""

    label: str | None = None  # given
    predicted: str | None = None


@dataclass(frozen=True)
class Driven:
    """One wrong test prediction that a training example pulls against through a word; the score is below 0."""

    test_id: str
    label: str
    predicted: str
    score: float


@dataclass(frozen=True)
class WordExample:
    """A training example that holds a word, where the word stands in it, and the mistakes it pulls against through the word."""

    sentence: Sentence
    words: list[int]  # indices of the word in the sentence
    score: float  # the sum over `mistakes`, below 0
    mistakes: list[Driven]  # among whose 100 strongest opponents it is, the most negative first


def has_words(workspace: WorkspaceReader) -> bool:
    """Whether the sums have been computed."""
    found = published(workspace.build, WORDS)
    return found is not None and found[1] == SETTINGS


def write_words(path: str | Path) -> None:
    """Compute the sums of a workspace's published build, unless they are there. Raises `WorkspaceBusy` during a build."""
    from influence.workspace import disk_full_explained, opened  # which imports PyTorch; reading must not wait for it

    path = Path(path)
    try:
        with _WRITING, disk_full_explained(path), build_lock(path), opened(path) as workspace:
            if not has_words(workspace):
                _write(workspace)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise WorkspaceError(f"nothing can be written into workspace {str(path)!r}, and its words are not there") from error


def words(workspace: WorkspaceReader, filter: MistakeFilter | None = None) -> pd.DataFrame:
    """Every word that pulls against one of the mistakes, the most negative `against` first.

    Columns word (case folded), written (its commonest spelling), kind ("word"; "common", see above; "token": a start or end
    token; "piece": all pieces that different words share), score, against, support, mistakes (of which it carries at least
    `LEAST_PULL`) and examples (training examples that it acts through). Computed the first time. Raises `QueryError` for an
    unknown label.
    """
    return _store(workspace).words(_asked(workspace, filter))


def confusions(workspace: WorkspaceReader) -> pd.DataFrame:
    """Columns label, predicted, mistakes: the wrong test predictions by confusion, the most frequent first."""
    return _store(workspace).confusions()


def count_mistakes(workspace: WorkspaceReader, filter: MistakeFilter | None = None) -> int:
    """How many wrong test predictions are summed over."""
    asked, found = _asked(workspace, filter), confusions(workspace)
    for name, label in asked.items():
        found = found if label is None else found[found[name] == label]
    return int(found["mistakes"].sum())


def word_examples(workspace: WorkspaceReader, word: str, filter: MistakeFilter | None = None) -> pd.DataFrame:
    """The training examples that pull against the mistakes through a word, the most negative `against` first.

    Columns position, train_id, label, score, against, support, mistakes (among whose 100 strongest opponents it is). Empty for
    a word that does nothing of the kind; start and end tokens are no words here.
    """
    return _store(workspace).examples(word.casefold(), _asked(workspace, filter))


def word_confusions(workspace: WorkspaceReader, word: str, filter: MistakeFilter | None = None) -> pd.DataFrame:
    """Columns label, predicted, mistakes: those that count for a word, by confusion."""
    return _store(workspace).pulled_against(word.casefold(), _asked(workspace, filter))


def read_examples(
    workspace: WorkspaceReader, word: str, positions: Sequence[int], filter: MistakeFilter | None = None
) -> list[WordExample]:
    """Rows of `word_examples`, by their positions, with their texts and the mistakes that each drives."""
    folded, found = word.casefold(), sentences(workspace, "train", positions)
    driven: dict[int, list[Driven]] = {position: [] for position in positions}
    for position, *mistake in _store(workspace).driven(folded, positions, _asked(workspace, filter)):
        driven[position].append(Driven(*mistake))
    return [
        WordExample(
            found[position],
            [i for i, one in enumerate(found[position].words) if _is_of(found[position], one, folded)],
            sum(mistake.score for mistake in driven[position]),
            driven[position],
        )
        for position in positions
    ]


def _store(workspace: WorkspaceReader) -> WordStore:
    if not has_words(workspace):
        write_words(workspace.path)
    return open_published(workspace.path, workspace.build, WORDS, WordStore)


def _asked(workspace: WorkspaceReader, filter: MistakeFilter | None) -> Mapping[str, Any]:
    asked = asdict(filter or MistakeFilter())
    for label in asked.values():
        check_label(workspace, label)
    return asked


def _is_of(sentence: Sentence, word: Word, folded: str) -> bool:
    """Whether a tokenizer's word is, or is a part of, a whole word."""
    if word.side == SPECIAL_SIDE:
        return False
    text = (sentence.text, sentence.text_pair or "")[word.side]
    start, end = whole_span(text, word.start, word.end)
    return text[start:end].casefold() == folded


def _write(workspace: WorkspaceReader) -> None:
    started = time.monotonic()
    store, examples = workspace.store, train_examples(workspace.store)
    found = contributions(store)
    trains, tests = (_spelt(store, split, found[split].unique()) for split in ("train", "test"))
    pairs, named = _folded(_by_spelling(found, trains, tests), _frequent(store, examples))
    wrong = mistakes(store)
    against = pairs["score"].clip(upper=0).groupby(pairs["test"]).sum()
    with publishing(workspace.build, WORDS, WordStore, SETTINGS) as made:
        made.fill("mistakes", wrong.assign(of_all=wrong["test"].map(against).fillna(0.0)))
        made.fill("words", named)
        made.fill("examples", examples[examples["train"].isin(pairs["train"].unique())])
        made.fill("pairs", pairs)
        made.write_provenance({"settings": SETTINGS, "build": workspace.build.name}, started)


def _spelt(store: ResultStore, split: str, positions: Iterable[int]) -> dict[tuple[int, int], Spelt]:
    """By an example's position and the index of a word in it: the whole word, as it is written there."""
    found: dict[tuple[int, int], Spelt] = {}
    for position, text, pair, words in spellings(store, split, list(positions)):
        for word, side, start, end, special in words:
            if special is None:
                written = pair if side == 1 else text
                start, end = whole_span(written, start, end)
                found[position, word] = (written[start:end], False)
            else:
                found[position, word] = (special, True)
    return found


def _by_spelling(
    found: pd.DataFrame, trains: Mapping[tuple[int, int], Spelt], tests: Mapping[tuple[int, int], Spelt]
) -> pd.DataFrame:
    """Columns train, test, score and spelt: the training example's word; None where the test example's is another one."""
    spelt = [trains[key] for key in zip(found["train"].tolist(), found["train_word"].tolist(), strict=True)]
    other = [tests[key] for key in zip(found["test"].tolist(), found["test_word"].tolist(), strict=True)]
    same = [a[1] or a[0].casefold() == b[0].casefold() for a, b in zip(spelt, other, strict=True)]
    kept = [one if whole else None for one, whole in zip(spelt, same, strict=True)]
    return found[["train", "test", "score"]].assign(spelt=pd.Series(kept, index=found.index, dtype=object))


def _frequent(store: ResultStore, examples: pd.DataFrame) -> set[str]:
    """The words, folded, that many training texts hold, about as often whatever the label is."""
    some = examples.iloc[:: 1 + (len(examples) - 1) // MOST_TEXTS]
    held: dict[str, Counter[str]] = {}
    spelt = _spelt(store, "train", some["train"])
    labels = dict(zip(some["train"].tolist(), some["label"].tolist(), strict=True))
    for position, word in {(position, written.casefold()) for (position, _), (written, special) in spelt.items() if not special}:
        held.setdefault(word, Counter())[labels[position]] += 1
    usual = {label: count / len(some) for label, count in Counter(labels.values()).items()}

    def says_nothing(counts: Counter[str]) -> bool:
        total = counts.total()
        return total > FREQUENT * len(some) and max(n / total / usual[label] for label, n in counts.items()) < DISTINCTIVE

    return {word for word, counts in held.items() if says_nothing(counts)}


def _folded(found: pd.DataFrame, frequent: Collection[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pairs by word, spellings that differ in case made one, and the words.

    Folded here and not in SQL, whose lower case is not Python's folded one, which the rest of Wordtrace masks and lights by.
    """
    counts = Counter(found["spelt"].tolist())
    best: dict[Spelt | None, tuple[int, str]] = {}
    for spelt, count in counts.items():
        written = PIECES if spelt is None else spelt[0]
        # The commonest spelling names the word; of two as common the one first in the alphabet.
        best[_key(spelt)] = min(best.get(_key(spelt), (1, "")), (-count, written))
    numbers = {key: number for number, key in enumerate(best)}
    of_spelling = {spelt: numbers[_key(spelt)] for spelt in counts}
    named = pd.DataFrame(
        {
            "word": np.arange(len(numbers), dtype=np.int32),
            "folded": [PIECES if key is None else key[0] for key in numbers],
            "written": [written for _, written in best.values()],
            "kind": [_kind(key, frequent) for key in numbers],
        }
    )
    words = np.array([of_spelling[spelt] for spelt in found["spelt"].tolist()], dtype=int)
    pairs = pd.DataFrame({"word": words, "train": found["train"], "test": found["test"], "score": found["score"]})
    return pairs.groupby(["word", "train", "test"], sort=True).sum().reset_index(), named


def _key(spelt: Spelt | None) -> Spelt | None:
    """What spellings of one word share; a token and a word written like it stay apart."""
    return None if spelt is None else (spelt[0] if spelt[1] else spelt[0].casefold(), spelt[1])


def _kind(key: Spelt | None, frequent: Collection[str]) -> str:
    if key is None:
        return PIECE
    folded, special = key
    return TOKEN if special else COMMON if folded in frequent or is_function_word(folded) else WORD
