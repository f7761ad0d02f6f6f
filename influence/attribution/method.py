"""What a method is: how it scores, what it needs, and what may be chosen about it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from influence.attribution.query import TEXTS_ONLY, MethodSettings, Query, WordSelection
from influence.errors import QueryError
from influence.types import FloatArray

if TYPE_CHECKING:  # the table is read where nothing is asked, too
    from influence.attribution.training_set import TrainingSet

Needs = Literal["index", "synonyms", "last layer", "texts", "states", "pass", "hessian", "nothing"]
COSTS: dict[Needs, str] = {
    "index": "Read from the index: milliseconds.",
    "synonyms": "Read from the index, with the checkpoints' word embeddings: a second or so, a few more the first time.",
    "last layer": "From the stored inputs of the last layer: well under a second, some seconds the first time for many labels.",
    "texts": "From the training texts: well under a second, some seconds the first time.",
    "states": "Read from the index and the optimizer states that the build kept: milliseconds.",
    "pass": "Not stored: every training example goes through every checkpoint, seconds to minutes.",
    "hessian": "Not stored: every training example goes through the last checkpoint, once for every label where the Hessian fits "
    "into memory (up to 7,000 weights, as in the paper's CNN), else tens to hundreds of times: minutes to hours.",
    "nothing": "No computation.",
}


@dataclass(frozen=True)
class Method:
    """One way to score every training example for a query."""

    id: str
    title: str
    about: str
    source: str
    needs: Needs
    formula: Callable[["TrainingSet", Query, "Method"], FloatArray] = field(repr=False)
    selection: WordSelection | None = None
    settings: MethodSettings = field(default_factory=MethodSettings)
    layer: str | None = None  # of the methods on a layer: first, second, third, last or all

    def score(self, training: "TrainingSet", query: Query) -> FloatArray:
        """Scores of shape (C, N); summed over C they are the method's score of each training example."""
        return self.formula(training, query, self)

    @property
    def words(self) -> bool:
        """Whether a score splits exactly into word contributions."""
        return self.selection is not None

    @property
    def signed(self) -> bool:
        """Whether scores may be below 0; else it names no opponents."""
        return self.id not in TEXTS_ONLY

    @property
    def needs_gradients(self) -> bool:
        """Whether it asks for the query's gradients."""
        return not self.drawn and self.id not in TEXTS_ONLY

    @property
    def drawn(self) -> bool:
        """Whether its scores are drawn at random, anew for each `MethodSettings.draw`."""
        return self.needs == "nothing"

    @property
    def slow(self) -> bool:
        """Whether an answer may take minutes or more, because every training example goes through a checkpoint."""
        return self.needs in ("pass", "hessian")

    @property
    def cost(self) -> str:
        """What an answer needs and about how long it takes, in a sentence."""
        return COSTS[self.needs]

    @property
    def has_biases(self) -> bool:
        """Whether biases can be put in with `MethodSettings.with_bias`."""
        return self.needs == "last layer" or self.slow

    def where_stored(self, stores_all: bool) -> "Method":
        """The same method for an index that stores all positions or not: without them, what counts them needs a pass."""
        counts_all = self.selection is not None and not self.selection.top_k
        return replace(self, needs="pass") if counts_all and not stores_all else self

    def with_selection(self, selection: WordSelection) -> "Method":
        """The same method over other positions."""
        return replace(self, selection=selection)

    def with_settings(self, settings: MethodSettings) -> "Method":
        """The same method with other settings. Raises `QueryError` for biases where it has none."""
        if settings.with_bias and not self.has_biases:
            raise QueryError(f"--with-bias: method {self.id!r} works on no layer with a bias")
        return replace(self, settings=settings)
