"""What is shown of the rows at the top: the words that carry each one's score, and the test sentence that it helps most.

Axes: N ranked candidates, E those at the top, W whole words of a text.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from influence.candidates.helped import Helped
from influence.data import SPECIAL_SIDE
from influence.explanations import sentences
from influence.models import Encoding
from influence.types import FloatArray, IntArray
from influence.workspace import WorkspaceReader

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def with_words(
    frame: pd.DataFrame,
    tokenizer: "PreTrainedTokenizerFast",
    encoding: Encoding,
    top_E: IntArray,
    scores_EW: Sequence[FloatArray | None],
) -> pd.DataFrame:
    """The frame with a column `words`, None below the top and of a method that knows no words."""
    found: list[list[dict[str, Any]] | None] = [None] * len(frame)
    for place, (number, scores_W) in enumerate(zip(top_E.tolist(), scores_EW, strict=True)):
        if scores_W is not None:
            found[place] = _words(frame, place, tokenizer, encoding, number, scores_W)
    frame.insert(frame.columns.get_loc("left_out"), "words", pd.Series(found, dtype=object))  # type: ignore[arg-type]
    return frame


def _words(
    frame: pd.DataFrame,
    place: int,
    tokenizer: "PreTrainedTokenizerFast",
    encoding: Encoding,
    number: int,
    scores_W: FloatArray,
) -> list[dict[str, Any]]:
    """The words of one row that carry something, as they stand in its texts."""
    rows = slice(*encoding.offsets_N1[number : number + 2].tolist())
    first = int(encoding.word_offsets_N1[number])
    sides = [str(frame.at[place, name]) for name in ("text", "text_pair") if name in frame]
    tokens, words_R = encoding.tokens_R[rows], encoding.words_R[rows]
    found = []
    for word in np.flatnonzero(scores_W).tolist():
        side, start, end = (int(one[first + word]) for one in _spans(encoding))
        special = side == SPECIAL_SIDE
        text = tokenizer.convert_ids_to_tokens(int(tokens[words_R == word][0])) if special else sides[side][start:end]
        found.append({"word": str(text), "side": side, "start": start, "end": end, "score": float(scores_W[word])})
    return found


def _spans(encoding: Encoding) -> tuple[IntArray, IntArray, IntArray]:
    return encoding.word_sides_W, encoding.word_starts_W, encoding.word_ends_W


def with_mistakes(frame: pd.DataFrame, workspace: WorkspaceReader, helped: Sequence[Helped | None]) -> pd.DataFrame:
    """The frame with what is known of the test sentence that each row at the top helps most; nothing where it helps none."""
    found = sentences(workspace, "test", sorted({one.test for one in helped if one is not None}))
    columns: dict[str, list[Any]] = {
        name: [None] * len(frame)
        for name in ("mistake_id", "mistake_score", "mistake_text", "mistake_label", "mistake_predicted")
    }
    for place, one in enumerate(helped):
        if one is not None:
            test = found[one.test]
            texts = "\n".join(filter(None, (test.text, test.text_pair)))
            for column, value in zip(columns.values(), (test.id, one.score, texts, test.label, test.predicted), strict=True):
                column[place] = value
    for name, values in columns.items():
        dtype = "float64" if name == "mistake_score" else "object"
        frame.insert(frame.columns.get_loc("left_out"), name, pd.Series(values, dtype=dtype))  # type: ignore[arg-type]
    return frame
