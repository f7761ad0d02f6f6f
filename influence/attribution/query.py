"""What is asked about: an example's loss with its gradients, and what may be chosen beside the method: words and settings.

Axes: L positions, D embedding width, H features, Y labels.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from influence.errors import QueryError, SettingsError
from influence.types import BoolArray, FloatArray, IntArray

METHOD_NAMES = (
    *("tracin-we-topk", "tracin-we", "tracin-we-syn", "tracin-we-noc", "tracin-common", "tracin-we-adam"),
    *("tracin-tfidf", "tracin-last"),
    *("influence-last", "influence-second", "representer"),
    *("tracin-first", "tracin-second", "tracin-third", "tracin-all"),
    *("bm25", "tfidf", "random", "random-same-label"),
)
DEFAULT_METHOD = "tracin-we-topk"
TEXTS_ONLY = ("bm25", "tfidf")  # methods that know the texts only: no score is below 0, so they name no opponents

TokenKind = Literal["all", "uncommon", "start-end"]
SpecialTokens = Literal["include", "exclude", "only"]  # what becomes of start and end tokens


class QueryCheckpoint(NamedTuple):
    """The query's gradients at one checkpoint."""

    gradients_LD: FloatArray
    kept_L: BoolArray  # the top-k positions
    features_H: FloatArray | None
    deltas_Y: FloatArray


@dataclass(frozen=True)
class Query:
    """An example whose loss on one label is to be explained; `key` seeds the random controls."""

    key: str
    label: int
    tokens_L: IntArray
    words_L: IntArray
    special_L: BoolArray
    checkpoints: list[QueryCheckpoint]
    types_L: IntArray | None = None  # token types, as in an encoding; None: none
    text: str = ""  # both texts of a pair, one a line; only the methods that compare texts read it


@dataclass(frozen=True)
class WordSelection:
    """Which positions of both sentences count: by gradient norm, by kind of token, and the user's own wish."""

    top_k: bool = False
    tokens: TokenKind = "all"
    special_tokens: SpecialTokens = "include"
    adam: bool = False  # the step is one of Adam, by the second moments that were kept, not one of SGD
    synonyms: bool = False  # words of similar embedding are matched one to one (app. H), not equal words only


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What may be chosen about the methods that work on a layer and the random controls; the others have no such choice."""

    with_bias: bool = False  # the biases of the layers too; the paper leaves them out (section 3.2)
    damping: float = 0.01  # of the influence functions: strength of the penalty damping/2 ‖W‖² on the mean loss; Koh's
    l2: float = 0.003  # λ of `representer`: strength of the penalty λ‖W‖² on the mean loss; Yeh et al. (2018)
    draw: int = 0  # of the random controls: another number, other random scores

    def __post_init__(self) -> None:
        for name, value in (("damping", self.damping), ("l2", self.l2)):
            if not 0 < value < float("inf"):
                raise SettingsError(f"--{name} {value}: must be above 0")


def check_method(name: str) -> None:
    """Raises `QueryError` naming the methods there are, unless that is one."""
    if name not in METHOD_NAMES:
        raise QueryError(f"unknown method {name!r}; choose one of {', '.join(METHOD_NAMES)}")
