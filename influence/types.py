"""Array types, the progress callback that long work reports to, and the names of the stages that it reports."""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # NumPy takes its time, and the command line's help needs none
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.integer[Any]]
    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.floating[Any]]
else:
    IntArray = BoolArray = FloatArray = Any

LARGEST_SEED = 2**63 - 1  # what PyTorch's generators take, too

Progress = Callable[[str, int, int], None]  # stage, done, total


def silent(stage: str, done: int, total: int) -> None:
    """The progress callback of callers who do not want one."""


class StageKind(StrEnum):
    """The kinds of stages, by their names; those of a build first, in order."""

    TOKENIZER = "tokenizer"
    IMPORT = "import checkpoints"
    TOKENIZE = "tokenize"
    CHECK = "check the model"
    TRAIN = "train"
    PREDICT = "predictions"
    KEEP = "keep checkpoints"
    GRADIENTS = "gradients"
    INFLUENCES = "influences"
    RESULTS = "results"
    EMBEDDINGS = "embeddings"
    OPINIONS = "opinions"
    OPPOSITION = "opposition"
    NEIGHBOURS = "neighbours"
    HELD_OUT = "held-out models"
    DISTANCES = "distances"
    DENDROGRAM = "dendrogram"
    MAP = "map"
    NAMES = "names"
    TASKS = "tasks"
    RETRAIN = "retrain"
    CONTROLS = "retrain controls"
    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "checking hashes"
    SAMPLE = "measuring on a sample"
    READING = "predictions of the candidates"
    MISTAKES = "gradients of the mistakes"
    CANDIDATES = "gradients of the candidates"
    HELPED = "what each of the best helps most"


class Stage(str):
    """A stage's name as it is reported, which also knows its parts: `train epoch 3`, `gradients 1/5 test`.

    Any other name is a kind of its own.
    """

    kind: str
    number: int  # of the epoch or checkpoint, from 1; 0 where there is no such thing
    out_of: int  # how many checkpoints there are; 0 for epochs, which are not counted beforehand
    examples: str  # train or test; empty where it is about both or neither

    def __new__(cls, kind: str, *, number: int = 0, out_of: int = 0, examples: str = "") -> Self:
        """Make the name of its parts."""
        which = f"{number}/{out_of}" if out_of else f"epoch {number}" if number else ""
        self = super().__new__(cls, " ".join(part for part in (kind, which, examples) if part))
        self.kind, self.number, self.out_of, self.examples = str(kind), number, out_of, examples
        return self

    @classmethod
    def of(cls, name: str) -> "Stage":
        """The stage that a callback was told of."""
        return name if isinstance(name, Stage) else cls(name)

    @property
    def all_numbers(self) -> str:
        """The name without its number: that of all epochs or checkpoints together."""
        return Stage(self.kind, examples=self.examples)
