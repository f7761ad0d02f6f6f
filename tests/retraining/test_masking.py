"""Masking in place: token by token for tokenizers of every kind, and what stays is what was there."""

from collections.abc import Callable

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from influence.data.masking import find_to_mask
from influence.models.encoding import encode
from influence.models.inputs import mask_token
from influence.models.model import train_word_pieces
from influence.retraining.masking import mask_in_place

TEXTS = [
    "the U.S. film rose 3.5 percent and the film fell",
    "an unfilmable film, a bad-film 好看的电影 i did not like",
    "covid19 foo_bar don't stop",
]


def trained(model: object, trainer: object, pre: object, **special: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def word_pieces() -> PreTrainedTokenizerFast:
    return train_word_pieces(TEXTS * 3, vocabulary=120)


def byte_level() -> PreTrainedTokenizerFast:
    special = ["<s>", "<pad>", "</s>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return trained(models.BPE(), trainer, pre, pad_token="<pad>", mask_token="<mask>")


def unigram() -> PreTrainedTokenizerFast:
    trainer = trainers.UnigramTrainer(vocab_size=110, special_tokens=["<pad>", "<unk>"], unk_token="<unk>")
    return trained(models.Unigram(), trainer, pre_tokenizers.Metaspace(), pad_token="<pad>", unk_token="<unk>")


def whole_words() -> PreTrainedTokenizerFast:
    trainer = trainers.WordLevelTrainer(special_tokens=["[PAD]"], vocab_size=100)
    return trained(models.WordLevel(), trainer, pre_tokenizers.WhitespaceSplit(), pad_token="[PAD]")


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "word pieces": word_pieces, "byte-level": byte_level, "unigram": unigram, "whole words": whole_words,
}  # fmt: skip


def masked(tokenizer: PreTrainedTokenizerFast, texts: list[str], words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens before and after."""
    pairs = None if len(texts) == 1 else [texts[1]]
    before = encode(tokenizer, [texts[0]], pairs, max_length=64).tokens_R
    spans = [[span for word in words for span in find_to_mask(text, word)] for text in texts]
    (after,) = mask_in_place(tokenizer, [texts], [spans], max_length=64)
    assert len(after) == len(before)
    return before, after


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "word"),
    [
        (TEXTS[0], "film"),
        (TEXTS[0], "."),
        (TEXTS[0], "THE"),
        (TEXTS[1], "film"),
        (TEXTS[1], "电影"),
        (TEXTS[2], "covid"),
        (TEXTS[2], "foo_bar"),
        (TEXTS[0], "film rose"),
    ],
)
def test_every_token_of_every_occurrence_and_no_other(kind: str, text: str, word: str) -> None:
    """Characters by hand: a token is masked exactly if one of its letters is a letter of an occurrence."""
    tokenizer = KINDS[kind]()
    token, _ = mask_token(tokenizer)
    before, after = masked(tokenizer, [text], [word])
    hit = {at for start, end in find_to_mask(text, word) for at in range(start, end)}
    assert hit
    encoded = tokenizer(text).encodings[0]
    for number, (own, (start, end)) in enumerate(zip(encoded.special_tokens_mask, encoded.offsets, strict=True)):
        letters = {at for at in range(start, end) if not text[at].isspace()}
        expected = token if letters & hit and not own else before[number]
        assert after[number] == expected, (number, text[start:end])
    assert (after != before).any()


def test_a_word_standing_twice_goes_twice_and_its_neighbours_stay() -> None:
    tokenizer = word_pieces()
    _, after = masked(tokenizer, [TEXTS[0]], ["."])
    wanted = "[CLS] the u [UNK] s [UNK] film rose 3 [UNK] 5 percent and the film fell [SEP]"
    assert tokenizer.decode(after, clean_up_tokenization_spaces=False) == wanted
    _, after = masked(tokenizer, [TEXTS[0]], ["film"])
    assert tokenizer.convert_ids_to_tokens(after).count("[UNK]") == 2


def test_both_texts_of_a_pair() -> None:
    tokenizer = word_pieces()
    before, after = masked(tokenizer, ["the film", "a bad film"], ["film"])
    words = tokenizer.convert_ids_to_tokens(before)
    assert [w if w != "film" else "[UNK]" for w in words] == tokenizer.convert_ids_to_tokens(after)
    assert words.count("film") == 2


def test_what_stands_in_its_place_is_the_mask_else_the_unknown_else_the_padding_token() -> None:
    assert [mask_token(KINDS[kind]())[1] for kind in KINDS] == ["[UNK]", "<mask>", "<unk>", "[PAD]"]


def test_what_is_cut_off_is_not_masked() -> None:
    tokenizer = word_pieces()
    (after,) = mask_in_place(tokenizer, [["the film the film the film"]], [[[(4, 8), (13, 17), (22, 26)]]], max_length=6)
    assert tokenizer.convert_ids_to_tokens(after) == ["[CLS]", "the", "[UNK]", "the", "[UNK]", "[SEP]"]
