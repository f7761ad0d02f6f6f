"""What a question about influence is made of: the query, which words count, a method with its settings, and its sources.

Axes: N training examples, C checkpoints, L positions, D embedding width, H features, Y labels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

from influence.errors import QueryError, SettingsError
from influence.types import BoolArray, FloatArray, IntArray

METHOD_NAMES = (
    *("tracin-we-topk", "tracin-we", "tracin-we-syn", "tracin-we-noc", "tracin-common", "tracin-tfidf", "tracin-last"),
    *("influence-last", "representer", "tracin-first", "tracin-second", "tracin-third", "tracin-all"),
    *("random", "random-same-label"),
)
DEFAULT_METHOD = "tracin-we-topk"

TokenKind = Literal["all", "uncommon", "start-end"]
SpecialTokens = Literal["include", "exclude", "only"]  # what becomes of start and end tokens
Needs = Literal["index", "synonyms", "last layer", "texts", "pass", "nothing"]
COSTS: dict[Needs, str] = {
    "index": "Read from the index: milliseconds.",
    "synonyms": "Read from the index, with the checkpoints' word embeddings: a second or so, a few more the first time.",
    "last layer": "From the stored inputs of the last layer: well under a second, some seconds the first time for many labels.",
    "texts": "From the training texts: well under a second, some seconds the first time.",
    "pass": "Not stored: every training example goes through every checkpoint, seconds to minutes.",
    "nothing": "No computation.",
}


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
    types_L: IntArray | None = None  # token types; None: all 0
    text: str = ""  # both texts of a pair, one a line; only the methods that compare texts read it


@dataclass(frozen=True)
class WordSelection:
    """Which positions of both sentences count: by gradient norm, by kind of token, and the user's own wish."""

    top_k: bool = False
    tokens: TokenKind = "all"
    special_tokens: SpecialTokens = "include"
    synonyms: bool = False  # words of similar embedding are matched one to one (app. H), not equal words only


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What may be chosen about the methods that work on a layer; the word methods have no such choice."""

    with_bias: bool = False  # the biases of the layers too; the paper leaves them out (section 3.2)
    damping: float = 0.01  # of `influence-last`: strength of the penalty damping/2 ‖W‖² on the mean loss; Koh and Liang's
    l2: float = 0.003  # λ of `representer`: strength of the penalty λ‖W‖² on the mean loss; Yeh et al. (2018)

    def __post_init__(self) -> None:
        for name, value in (("damping", self.damping), ("l2", self.l2)):
            if not 0 < value < float("inf"):
                raise SettingsError(f"--{name} {value}: must be above 0")


class TrainingFacts(Protocol):
    """What a method may ask about the training set."""

    learning_rates_C: FloatArray
    labels_N: IntArray

    def word_scores(self, query: Query, selection: WordSelection) -> FloatArray:
        """Scores over words, shape (C, N)."""
        ...

    def last_layer(self, checkpoint: int) -> tuple[FloatArray, FloatArray] | None:
        """Inputs (N, H) of the last linear layer and loss gradients (N, Y) at its output; None: a model without one."""
        ...

    def deltas(self, checkpoint: int) -> FloatArray:
        """Loss gradients (N, Y) at the logits."""
        ...

    def inverse_hessian(self, gradient_YH: FloatArray, settings: MethodSettings) -> FloatArray:
        """(H + damping)⁻¹ gradient for the last layer at the last checkpoint."""
        ...

    def text_similarities(self, query: Query) -> FloatArray:
        """tf-idf cosine of the query's text with every training text, shape (N,)."""
        ...

    def layer_scores(self, query: Query, method: "Method") -> FloatArray:
        """η_c ⟨∂ℓ/∂W, ∂ℓ'/∂W⟩ over the weights of the method's layers but the word embedding, shape (C, N)."""
        ...


@dataclass(frozen=True)
class Method:
    """One way to score every training example for a query."""

    id: str
    title: str
    about: str
    source: str
    needs: Needs
    formula: Callable[[TrainingFacts, Query, "Method"], FloatArray] = field(repr=False)
    selection: WordSelection | None = None
    settings: MethodSettings = MethodSettings()
    layer: str | None = None  # of the methods on a layer: first, second, third, last or all

    def score(self, training: TrainingFacts, query: Query) -> FloatArray:
        """Scores of shape (C, N); summed over C they are the method's score of each training example."""
        return self.formula(training, query, self)

    @property
    def words(self) -> bool:
        """Whether a score splits exactly into word contributions."""
        return self.selection is not None

    @property
    def slow(self) -> bool:
        """Whether an answer may take minutes, because every training example goes through every checkpoint."""
        return self.needs == "pass"

    @property
    def cost(self) -> str:
        """What an answer needs and about how long it takes, in a sentence."""
        return COSTS[self.needs]

    @property
    def has_biases(self) -> bool:
        """Whether biases can be put in with `MethodSettings.with_bias`."""
        return self.needs in ("last layer", "pass")

    def with_selection(self, selection: WordSelection) -> "Method":
        """The same method over other positions."""
        return replace(self, selection=selection)

    def with_settings(self, settings: MethodSettings) -> "Method":
        """The same method with other settings. Raises `QueryError` for biases where it has none."""
        if settings.with_bias and not self.has_biases:
            raise QueryError(f"--with-bias: method {self.id!r} works on no layer with a bias")
        return replace(self, settings=settings)


def check_method(name: str) -> None:
    """Raises `QueryError` naming the methods there are, unless that is one."""
    if name not in METHOD_NAMES:
        raise QueryError(f"unknown method {name!r}; choose one of {', '.join(METHOD_NAMES)}")
