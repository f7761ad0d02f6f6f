"""Which words carry the most negative influence over the wrong test predictions, and through which training examples.

    against  <= 0, the sum of what the word carries below 0: training steps on those examples, through this word, raised
             the loss of those test examples on their given label
    support  >= 0, the sum of what it carries above 0
    score    against + support

Summed are the stored contributions (method tracin-we-topk) of the wrong test predictions: of each one's 100 strongest
opponents and 100 strongest proponents, and of no other training example. So `against` nears the whole from above, while
`score` depends on where the two lists end. The unit is that of a score, nats for one step at each checkpoint's learning
rate; a sum grows with the number of mistakes. A word is a whole word of the training example, its case folded; what one
word carries between a training and a test example is summed first and counted as one.
"""

import errno
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from influence.errors import WorkspaceError
from influence.explanations.explanation import Sentence, check_label, sentences
from influence.explanations.word_tables import WordStore, contributions, mistakes, train_examples
from influence.models import is_common
from influence.workspace import STORED_TOP, WorkspaceReader, build_lock, open_published, published, publishing

WORDS = "words"
SETTINGS = {"stored_top": STORED_TOP, "formula": 1}  # the formula counts up when the sums would come out differently
_WRITING = threading.Lock()  # several readers of one server may be the first to ask; the lock on disk only turns them away
WORD, COMMON, TOKEN = "word", "common", "token"  # kinds: common are stop words and punctuation, tokens start and end


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
    """A training example that holds a word, where the word stands in it, and the mistakes it drives through the word."""

    sentence: Sentence
    words: list[int]  # indices of the word in the sentence
    score: float  # the sum over `mistakes`, below 0
    mistakes: list[Driven]  # the most negative first


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

    Columns word (case folded), written (its commonest spelling), kind ("word", "common": a stop word or punctuation, "token":
    a start or end token), score, against, support, mistakes and examples (how many test and training examples it acts
    against and through). Computed the first time. Raises `QueryError` for an unknown label.
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

    Columns position, train_id, label, score, against, support, mistakes. Empty for a word that does nothing of the kind;
    start and end tokens are no words here.
    """
    return _store(workspace).examples(word.casefold(), _asked(workspace, filter))


def word_confusions(workspace: WorkspaceReader, word: str, filter: MistakeFilter | None = None) -> pd.DataFrame:
    """Columns label, predicted, mistakes: the mistakes that a word pulls against, by confusion."""
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
            [i for i, one in enumerate(found[position].words) if one.side >= 0 and one.text.casefold() == folded],
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


def _write(workspace: WorkspaceReader) -> None:
    started = time.monotonic()
    named, pairs = _folded(contributions(workspace.store))
    examples = train_examples(workspace.store)
    with publishing(workspace.build, WORDS, WordStore, SETTINGS) as store:
        store.fill("mistakes", mistakes(workspace.store))
        store.fill("words", named)
        store.fill("examples", examples[examples["train"].isin(pairs["train"].unique())])
        store.fill("pairs", pairs)
        store.write_provenance({"settings": SETTINGS, "build": workspace.build.name}, started)


def _folded(found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The words, spellings that differ in case made one, and the pairs by word.

    Folded here and not in SQL, whose lower case is not Python's folded one, which the rest of Wordtrace masks and lights by.
    """
    texts, unique = pd.factorize(found["written"])
    spelled, codes = pd.factorize(texts * 2 + found["special"].to_numpy())  # a token and a word written like it stay apart
    spellings = [(str(unique[code // 2]), bool(code % 2)) for code in codes.tolist()]
    counts = np.bincount(spelled, minlength=len(spellings))
    keys = [(text if special else text.casefold(), special) for text, special in spellings]
    numbers: dict[tuple[str, bool], int] = {}
    word_of = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=int)
    best: dict[int, tuple[int, str]] = {}
    for word, count, (text, _) in zip(word_of.tolist(), counts.tolist(), spellings, strict=True):
        # The commonest spelling names the word; of two as common the one first in the alphabet.
        best[word] = min(best.get(word, (1, "")), (-count, text))
    named = pd.DataFrame(
        {
            "word": np.arange(len(numbers), dtype=np.int32),
            "folded": [folded for folded, _ in numbers],
            "written": [best[word][1] for word in range(len(numbers))],
            "kind": [TOKEN if special else COMMON if is_common(folded) else WORD for folded, special in numbers],
        }
    )
    pairs = pd.DataFrame({"word": word_of[spelled], "train": found["train"], "test": found["test"], "score": found["score"]})
    return named, pairs.groupby(["word", "train", "test"], sort=True).sum().reset_index()
