"""Tokens and whole words: every tokenizer's pieces come back together as the words that the user wrote."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from influence.data.words import SPECIAL_SIDE, whole_words
from influence.errors import DataError
from influence.growing import GrowingArray
from influence.models import encoding as encoding_module, model
from influence.models.encoding import NO_TYPES, Encoding, common_tokens, encode, long_text, pad, write_encoding
from influence.models.model import supports_pairs, train_word_pieces
from influence.models.spelling import Spelling

CORPUS = [
    "the café is naïve and unbelievable",
    "un believable hello world , good - bad .",
    "שלום עולם hello",
    "emoji 🙂 👩‍👩‍👧 family",
    "日本語 text",
    "don't can't it's 12.5%",
] * 3
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
CLS, SEP = "<s>", "</s>"


def word_pieces() -> PreTrainedTokenizerFast:
    return train_word_pieces(CORPUS, vocabulary=120)


def fast(tokenizer: Tokenizer, pair: str = "<s> $A </s> $B </s>") -> PreTrainedTokenizerFast:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=pair, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def byte_level(*, trim: bool) -> PreTrainedTokenizerFast:
    """GPT-2's kind; RoBERTa's post-processor trims the space off a token's characters, GPT-2's does not."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    made = fast(tokenizer)
    if trim:
        made.backend_tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    return made


def sentence_pieces(*, split: bool) -> PreTrainedTokenizerFast:
    """XLM-R's kind, one unit a word; not split, the whole sentence is one unit, as LLaMA's kind has it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=split)
    return fast(tokenizer)


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "word pieces": word_pieces,
    "byte-level": lambda: byte_level(trim=False),
    "byte-level trimmed": lambda: byte_level(trim=True),
    "sentence pieces": lambda: sentence_pieces(split=True),
    "one unit": lambda: sentence_pieces(split=False),
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tokenizer(name: str) -> PreTrainedTokenizerFast:
    return TOKENIZERS[name]()


def words(encoding: Encoding, example: int, texts: tuple[str, str]) -> list[str]:
    """The words of an example as they stand in its texts, `*` for start and end tokens."""
    where = slice(*encoding.word_offsets_N1[example : example + 2])
    spans = zip(encoding.word_sides_W[where], encoding.word_starts_W[where], encoding.word_ends_W[where], strict=True)
    return ["*" if side == SPECIAL_SIDE else texts[side][start:end] for side, start, end in spans]


def words_of(tokenizer: PreTrainedTokenizerFast, text: str, max_length: int = 64) -> list[str]:
    return words(encode(tokenizer, [text], None, max_length=max_length), 0, (text, ""))


ALL = {"word pieces", "byte-level", "byte-level trimmed", "sentence pieces", "one unit"}
BY_SPACE = {"sentence pieces", "one unit"}  # punctuation stays with its word
WORDS: list[tuple[str, dict[str, list[str]]]] = [
    ("the unbelievable", {"all": ["the", "unbelievable"]}),
    ("café, hello!", {"all": ["café", ",", "hello", "!"], "space": ["café,", "hello!"]}),
    ("  two  spaces\tand\nlines ", {"all": ["two", "spaces", "and", "lines"]}),
    ("🙂 👩‍👩‍👧 ok", {"all": ["🙂", "👩‍👩‍👧", "ok"]}),
    ("שלום עולם hello", {"all": ["שלום", "עולם", "hello"]}),
    ("xxxxxx ﬁne ½", {"all": ["xxxxxx", "ﬁne", "½"]}),
    ("ole\u0301 nai\u0308ve", {"all": ["ole\u0301", "nai\u0308ve"]}),  # the accents are characters of their own
    ("न\u092e\u0938\u094d\u0924\u0947", {"all": ["नमस्ते"]}),  # vowel signs too
]


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_pieces_become_the_words_of_the_text(
    name: str, tokenizer: PreTrainedTokenizerFast, text: str, expected: dict[str, list[str]]
) -> None:
    wanted = expected.get("space", expected["all"]) if name in BY_SPACE else expected["all"]
    assert words_of(tokenizer, text) == ["*", *wanted, "*"]


def test_the_pieces_are_many_and_the_words_are_whole(tokenizer: PreTrainedTokenizerFast) -> None:
    """Each token row points at its word; the words of a text come in order."""
    encoding = encode(tokenizer, ["unbelievable hellish"], None, max_length=64)
    assert len(encoding.tokens_R) > 6
    assert encoding.words_R.tolist() == sorted(encoding.words_R.tolist())
    assert set(encoding.words_R.tolist()) == {0, 1, 2, 3}
    assert encoding.special_R.tolist() == [True, *[False] * (len(encoding.tokens_R) - 2), True]
    assert encoding.tokens_R.tolist() == tokenizer("unbelievable hellish").input_ids


def test_a_typed_special_token_is_a_word_of_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    """Hostile or not, what the user wrote is shown as text; start and end tokens are those that the tokenizer adds."""
    end = tokenizer.sep_token or tokenizer.eos_token
    encoding = encode(tokenizer, [f"hello {end} world"], None, max_length=64)
    assert int(encoding.special_R.sum()) == 2
    assert "".join(words(encoding, 0, (f"hello {end} world", ""))[1:-1]) == f"hello{end}world"


def test_no_text_spells_a_special_token(tokenizer: PreTrainedTokenizerFast) -> None:
    """Not even where the token is a piece like others (Unigram); full-width letters are made `<s>` by NFKC."""
    names = [*tokenizer.all_special_tokens, "\uff1cs\uff1e"]
    for template in ("good {}", "{}", "a{}b {} {}"):
        for name in names:
            text = template.replace("{}", name)
            encoding = encode(tokenizer, [text, text], ["hello", text], max_length=64)
            known = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
            assert not known & set(encoding.tokens_R[~encoding.special_R].tolist()), text
            clean = encode(tokenizer, ["hello"] * 2, ["hello"] * 2, max_length=64)
            assert encoding.tokens_R[encoding.special_R].tolist() == clean.tokens_R[clean.special_R].tolist()
            assert "".join(words(encoding, 0, (text, "hello"))).replace("*", "") == text.replace(" ", "") + "hello"


def test_special_tokens_in_a_text_are_cut_like_other_text(tokenizer: PreTrainedTokenizerFast) -> None:
    end = tokenizer.sep_token or tokenizer.eos_token
    encoding = encode(tokenizer, [f"hello {end} " * 40, "hello"], None, max_length=9)
    assert encoding.lengths_N.tolist()[0] == 9
    assert encoding.truncated_N.tolist() == [True, False]


def test_a_word_list_has_no_other_spelling_so_the_word_is_unknown() -> None:
    made = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "good": 3}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", sep_token="[SEP]")
    assert encode(tokenizer, ["good [SEP] [PAD] good"], None, max_length=9).tokens_R.tolist() == [3, 1, 1, 3]


def test_pairs_keep_to_their_sides(name: str, tokenizer: PreTrainedTokenizerFast) -> None:
    first, second = "the hello world", "hello unbelievable"
    assert supports_pairs(tokenizer)
    encoding = encode(tokenizer, [first, second], [second, first], max_length=64)
    between = ["*", "*"] if name == "byte-level trimmed" else ["*"]  # RoBERTa closes the first and opens the second
    assert words(encoding, 0, (first, second)) == ["*", *first.split(), *between, *second.split(), "*"]
    assert words(encoding, 1, (second, first)) == ["*", *second.split(), *between, *first.split(), "*"]
    sides = encoding.word_sides_W[: encoding.word_offsets_N1[1]].tolist()
    assert sides == [-1, 0, 0, 0, *[-1] * len(between), 1, 1, -1]


def test_types_tell_the_two_texts_apart_where_the_tokenizer_makes_them() -> None:
    tokenizer = word_pieces()
    assert set(encode(tokenizer, ["good"], ["bad"], max_length=64).types_R.tolist()) == {NO_TYPES}
    assert pad(encode(tokenizer, ["good"], ["bad"], max_length=64), np.array([0]), 0).types_BL is None
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    encoding = encode(tokenizer, ["good"], ["bad"], max_length=64)
    kinds = dict(zip(encoding.words_R.tolist(), encoding.types_R.tolist(), strict=True))
    assert kinds == {0: 0, 1: 0, 2: 0, 3: 1, 4: 1}


def test_a_tokenizer_without_a_boundary_takes_no_pairs() -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "<unk>": 2}, unk_token="<unk>"))
    assert not supports_pairs(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>"))


def test_a_long_text_is_cut_and_says_so(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "hello " * 50
    encoding = encode(tokenizer, [text, "hello"], None, max_length=8)
    assert encoding.lengths_N.tolist()[0] == 8
    assert encoding.truncated_N.tolist() == [True, False]
    shown = words(encoding, 0, (text, ""))
    assert (shown[0], shown[-1]) == ("*", "*")
    assert set(shown[1:-1]) <= {"hello"} | {"hello"[:end] for end in range(1, 5)}


def test_a_pair_is_cut_at_its_longer_side(tokenizer: PreTrainedTokenizerFast) -> None:
    encoding = encode(tokenizer, ["hello " * 50], ["hello"], max_length=16)
    assert encoding.truncated_N.tolist() == [True]
    assert words(encoding, 0, ("hello " * 50, "hello"))[-2] == "hello"


@pytest.mark.parametrize("tokens", [3, 8, 1_000, 100_000])
def test_a_text_as_long_as_there_can_be(tokenizer: PreTrainedTokenizerFast, tokens: int) -> None:
    long = long_text(["good film", "  ", "one of the films that are bad"], tokens)
    assert encode(tokenizer, [long], None, max_length=tokens).lengths_N.tolist() == [tokens]
    assert len(long) < 10 * tokens + 40


def test_a_text_that_leaves_nothing_is_refused() -> None:
    """With start and end tokens they are left; without, there is nothing to classify."""
    assert words_of(word_pieces(), "\u200b") == ["*", "*"]
    bare = Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    bare.normalizer = normalizers.BertNormalizer()
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(DataError) as caught:
        encode(PreTrainedTokenizerFast(tokenizer_object=bare, unk_token="<unk>"), ["a", "\u200b"], None, max_length=9)
    assert str(caught.value) == r"the tokenizer leaves nothing of the text '\u200b' (number 2 of the texts); delete it"


def test_batches_of_any_size_encode_alike(tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the café", "hello", "🙂 text", "don't", "12.5%"]
    whole = encode(tokenizer, texts, None, max_length=64)
    monkeypatch.setattr("influence.models.encoding.TOKENIZE_BATCH", 2)
    seen: list[tuple[str, int, int]] = []
    parts = encode(tokenizer, texts, None, max_length=64, progress=lambda *step: seen.append(step))
    assert seen == [("tokenize", 2, 5), ("tokenize", 4, 5), ("tokenize", 5, 5)]
    for field in Encoding.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(parts, field), getattr(whole, field))


def test_an_encoding_comes_back_from_disk(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    encoding = encode(tokenizer, ["the café", "hello"], ["a", "b"], max_length=64)
    encoding.save(tmp_path)
    back = Encoding.load(tmp_path)
    for field in Encoding.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(back, field), getattr(encoding, field))
        assert getattr(back, field).dtype == getattr(encoding, field).dtype
    assert len(back) == 2


def test_padding_is_on_the_right_and_masked(tokenizer: PreTrainedTokenizerFast) -> None:
    encoding = encode(tokenizer, ["hello", "the café is naïve"], None, max_length=64)
    batch = pad(encoding, np.array([1, 0]), 77)
    long, short = encoding.lengths_N[1], encoding.lengths_N[0]
    assert batch.tokens_BL.shape == (2, long)
    assert batch.tokens_BL[1].tolist() == [*encoding.tokens_R[:short].tolist(), *[77] * (long - short)]
    assert batch.real_BL[1].tolist() == [True] * short + [False] * (long - short)
    assert batch.tokens_BL[0].tolist() == encoding.tokens_R[short:].tolist()
    assert batch.examples_B.tolist() == [1, 0]


def test_padding_on_the_left_is_masked_too(tokenizer: PreTrainedTokenizerFast) -> None:
    encoding = encode(tokenizer, ["hello", "the café is naïve"], None, max_length=64)
    batch = pad(encoding, np.array([1, 0]), 77, left=True)
    long, short = encoding.lengths_N[1], encoding.lengths_N[0]
    assert batch.tokens_BL[1].tolist() == [*[77] * (long - short), *encoding.tokens_R[:short].tolist()]
    assert batch.real_BL[1].tolist() == [False] * (long - short) + [True] * short
    assert batch.tokens_BL[0].tolist() == encoding.tokens_R[short:].tolist()


COMMON: dict[str, tuple[list[str], list[str]]] = {
    "word pieces": (
        ["the", "is", "and", ",", ".", "-", "%", "'", "[CLS]", "[SEP]", "[PAD]", "[UNK]"],
        ["good", "##un", "🙂", "1"],
    ),
    "byte-level": (["Ġ", "the", "Ġis", ",", "!", "?", "</s>", "<pad>", "Ċ"], ["ðŁ", "Ĥ", "Ġhello", "9"]),
    "sentence pieces": (["▁", ",", ".", "▁a", "<s>", "<unk>"], ["▁hello", "🙂", "2"]),
}


@pytest.mark.parametrize("kind", COMMON)
def test_common_tokens_are_stop_words_punctuation_and_special_tokens(kind: str) -> None:
    """Section 5's NoC leaves these out. Emoji and parts of a letter's bytes say something, so they stay."""
    tokenizer = TOKENIZERS[kind]()
    common_V = common_tokens(tokenizer, len(tokenizer))
    vocabulary = tokenizer.get_vocab()
    common, other = ([token for token in tokens if token in vocabulary] for tokens in COMMON[kind])
    assert len(common) >= 5
    assert len(other) >= 2
    assert [token for token in common if not common_V[vocabulary[token]]] == []
    assert [token for token in other if common_V[vocabulary[token]]] == []


def test_common_tokens_fit_a_vocabulary_of_another_size() -> None:
    """A model may have more embedding rows than the tokenizer has tokens, or fewer."""
    tokenizer = word_pieces()
    whole = common_tokens(tokenizer, len(tokenizer))
    assert common_tokens(tokenizer, len(tokenizer) + 5).tolist() == [*whole.tolist(), *[False] * 5]
    assert common_tokens(tokenizer, 4).tolist() == whole[:4].tolist()


def test_the_same_texts_give_the_same_vocabulary() -> None:
    """Two builds with one seed agree only if this does; the library's own trainer numbers letters by a hash table."""
    first, second = (train_word_pieces(CORPUS, vocabulary=120) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert len(first) <= 120
    assert [first.get_vocab()[token] for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")] == [0, 1, 2, 3]
    assert set(first.added_tokens_decoder) == {0, 1, 2, 3}


def test_a_learnt_vocabulary_spells_every_letter_it_has_seen() -> None:
    """However many letters: two thousand of them are more than the trainer keeps if it is left to choose."""
    letters = [chr(0x4E00 + number) for number in range(2_000)]
    tokenizer = train_word_pieces([" ".join(letters)] * 2, vocabulary=100)
    assert tokenizer.unk_token_id not in tokenizer("".join(letters)).input_ids


def test_of_many_texts_a_part_teaches_pieces_and_all_teach_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "LEARNT_FROM", 50)
    texts = [f"usual words {number} {chr(0x0430 + number % 7)}" for number in range(500)]
    texts[333] = "rare x\u0493z and \u0495 日本 🙂"  # not among those that are learnt from
    tokenizer = train_word_pieces(texts, pairs=["second ж\u04ab"] + ["second"] * 499)
    for text in [*texts, "second ж\u04ab"]:
        assert tokenizer.unk_token_id not in tokenizer(text).input_ids, text
    assert "usual" in tokenizer.get_vocab()
    assert "second" in tokenizer.get_vocab()
    assert tokenizer.get_vocab() == train_word_pieces(texts, pairs=["second ж\u04ab"] + ["second"] * 499).get_vocab()
    monkeypatch.setattr(model, "LEARNT_FROM", 500)
    assert train_word_pieces(texts).get_vocab() != tokenizer.get_vocab()


@given(
    text=st.text(alphabet="ab \t\u0301é🙂,", min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
    units=st.lists(st.integers(0, 2), min_size=12, max_size=12),
)
def test_words_are_disjoint_in_order_and_without_white_space(text: str, cuts: set[int], units: list[int]) -> None:
    """Whatever places a tokenizer reports: a word is never blank unless the text is, and no token is without one."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    offsets = list(itertools.pairwise(edges))
    found, spans = whole_words([0] * len(offsets), sorted(units[: len(offsets)]), offsets, (text, ""))
    assert found == sorted(found)
    assert set(found) == set(range(len(spans)))
    for (_, start, end), (_, after, _) in itertools.pairwise(spans):
        assert start <= end <= after
    for _, start, end in spans:
        assert text[start:end] == text[start:end].strip()
        assert (start < end) or not text.strip()
    for token, (start, end) in enumerate(offsets):
        seen = text[start:end].strip()
        word = text[spans[found[token]][1] : spans[found[token]][2]]
        assert seen in word or any(character.isspace() for character in seen)


def at_once(tokenizer: PreTrainedTokenizerFast, texts: list[str], pairs: list[str] | None, max_length: int) -> Encoding:
    """The encoding with every example held as lists before anything is joined: slow, and easy to see through."""
    typed, spelling = "token_type_ids" in tokenizer.model_input_names, Spelling(tokenizer)
    rows: list[tuple[int, int, int, int]] = []
    spans, cut, ends, word_ends = [], [], [0], [0]
    for number, encoded in enumerate(spelling.encodings(texts, pairs, max_length)):
        special = encoded.special_tokens_mask
        sides = [None if added else side for side, added in zip(encoded.sequence_ids, special, strict=True)]
        both = (texts[number], "" if pairs is None else pairs[number])
        found, ours = whole_words(sides, encoded.word_ids, encoded.offsets, both)
        types = encoded.type_ids if typed else [NO_TYPES] * len(encoded.ids)
        rows += zip(encoded.ids, types, special, found, strict=True)
        spans += ours
        ends.append(len(rows))
        word_ends.append(len(spans))
        cut.append(bool(encoded.overflowing))
    tokens, types, special, words_ = (np.array([row[at] for row in rows]) for at in range(4))
    side, start, end = (np.array([span[at] for span in spans]) for at in range(3))
    return Encoding(np.array(ends), tokens, types, special, words_, np.array(word_ends), side, start, end, np.array(cut))


@pytest.mark.parametrize("size", [1, 3, 7, 2_000])
@pytest.mark.parametrize("paired", [False, True])
def test_block_by_block_is_what_all_at_once_makes(
    tokenizer: PreTrainedTokenizerFast, size: int, *, paired: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory and written to disk, array by array; the files are those of `save`, byte by byte."""
    texts = [f"{text} {number}" for number, text in enumerate(CORPUS)]
    pairs = texts[::-1] if paired and supports_pairs(tokenizer) else None
    monkeypatch.setattr(encoding_module, "TOKENIZE_BATCH", size)
    reports: list[tuple[str, int, int]] = []
    found = encode(tokenizer, texts, pairs, max_length=9, progress=lambda *report: reports.append(report))
    write_encoding(tmp_path / "grown", tokenizer, texts, pairs, max_length=9)
    found.save(tmp_path / "saved")
    wanted = at_once(tokenizer, texts, pairs, 9)
    loaded = Encoding.load(tmp_path / "grown")
    for field in dataclasses.fields(Encoding):
        ours = getattr(found, field.name)
        np.testing.assert_array_equal(ours, getattr(wanted, field.name), strict=False)
        np.testing.assert_array_equal(ours, getattr(loaded, field.name), strict=True)
        grown, saved = (tmp_path / kind / f"{field.name}.npy" for kind in ("grown", "saved"))
        assert grown.read_bytes() == saved.read_bytes()
    assert found.offsets_N1.dtype == found.word_offsets_N1.dtype == np.int64
    assert [done for _, done, _ in reports] == [min(at + size, len(texts)) for at in range(0, len(texts), size)]


def test_an_encoding_that_was_not_completed_is_empty_and_no_other(tmp_path: Path) -> None:
    def interrupted() -> None:
        with GrowingArray(tmp_path / "a.npy", np.int32) as growing:
            growing.append(np.arange(5, dtype=np.int32))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert np.load(tmp_path / "a.npy").shape == (0,)
    with GrowingArray(tmp_path / "b.npy", np.int8) as growing, pytest.raises(TypeError):
        growing.append(np.arange(5, dtype=np.int32))
