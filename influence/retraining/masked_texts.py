"""Training examples with words masked: the model's mask token in the place of each of their tokens."""

from collections.abc import Iterable

from influence.data import find_to_mask, masked as masked_texts, texts_of
from influence.models import load_tokenizer
from influence.retraining.masking import mask_in_place
from influence.types import IntArray
from influence.workspace import WorkspaceReader

Masked = tuple[int, tuple[str, ...]]  # training row, words


def masked_rows(workspace: WorkspaceReader, masked: Iterable[Masked]) -> dict[Masked, IntArray]:
    """Tokens of every training example with its words masked in place, as many as it had.

    Raises `DataError` for a word that does not occur in its example, and where the corrected file would have no text left.
    """
    wanted = sorted(set(masked))
    if not wanted:
        return {}
    examples = workspace.store.examples("train", {row for row, _ in wanted})
    texts = [texts_of(examples[row]) for row, _ in wanted]
    for (row, words), own in zip(wanted, texts, strict=True):
        masked_texts(str(examples[row].id), own, words)  # raises
    spans = [
        [[span for word in words for span in find_to_mask(text, word)] for text in own]
        for (_, words), own in zip(wanted, texts, strict=True)
    ]
    tokenizer = load_tokenizer(str(workspace.build / "checkpoints" / "tokenizer"))
    longest = min(workspace.info.max_length, tokenizer.model_max_length)
    return dict(zip(wanted, mask_in_place(tokenizer, texts, spans, max_length=longest), strict=True))
