"""Text that is spelt like a special token, such as `[SEP]` or `<s>`, read as the text that it is.

A tokenizer can be told to split such text (`split_special_tokens`), but it then only looks past its list of special
tokens. One that finds `<s>` among its pieces too (Unigram has its special tokens there) still makes the special token of
it. For those texts the pieces are renamed in a copy, so that no text spells them.
"""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from influence.guarded import guarded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

UNSPELT = "\U0010ffff"  # before a piece's name: a code point that is no character


class Spelling:
    """A tokenizer for which special tokens are its own affair: no text of a user makes one."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast") -> None:
        self._tokenizer, self._unknown = tokenizer, tokenizer.unk_token
        self._special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}

    def encodings(self, texts: list[str], pairs: list[str] | None, max_length: int) -> list[Any]:
        """The encoding of every text (or pair), cut at `max_length` tokens."""

        def read() -> Any:
            return self._tokenizer(texts, pairs, truncation=True, max_length=max_length, split_special_tokens=True)

        batch = guarded("tokenizer", read, done="used on these texts")
        found = list(batch.encodings)
        for at, encoded in enumerate(found):
            given = (texts[at],) if pairs is None else (texts[at], pairs[at])
            if self._is_misread(encoded, given):
                self._renamed.enable_truncation(**self._tokenizer.backend_tokenizer.truncation)
                found[at] = self._renamed.encode(*given)
        return found

    def _is_misread(self, encoded: Any, texts: tuple[str, ...]) -> bool:
        """Whether some of the text was made a special token; the unknown token is one only where its name was read."""
        added = encoded.special_tokens_mask
        special = any(token in self._special and not own for token, own in zip(encoded.ids, added, strict=True))
        return special or (self._unknown is not None and any(self._unknown in text for text in texts))

    @cached_property
    def _renamed(self) -> Tokenizer:
        """The tokenizer without a piece that is spelt like a special token."""
        names = set(self._tokenizer.all_special_tokens)
        state = json.loads(self._tokenizer.backend_tokenizer.to_str())
        state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in names]
        model = state["model"]
        if isinstance(model["vocab"], list):  # Unigram: pieces with their scores
            model["vocab"] = [[UNSPELT + piece if piece in names else piece, score] for piece, score in model["vocab"]]
        else:
            names.discard(model.get("unk_token"))  # which the model goes by
            model["vocab"] = {UNSPELT + piece if piece in names else piece: token for piece, token in model["vocab"].items()}
        renamed = Tokenizer.from_str(json.dumps(state))
        renamed.encode_special_tokens = True
        return renamed
