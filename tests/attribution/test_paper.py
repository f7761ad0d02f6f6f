"""One test an equation of Yeh et al. (NeurIPS 2022), on a model whose numbers can be done in the head.

The model. Word embeddings two wide; one convolution of width 1 whose weight is the identity; max pooling; a linear layer
whose weight is the identity. So logit j is the largest j-th coordinate among the words (all are positive), and ∂loss/∂logits
= δ = p − y reaches, in coordinate j, only the word that holds that largest coordinate (in equal parts if several do).

    sun = (1, ½)   rain = (½, 1 + ln 3)   the = (⅒, 1 + ln 3)   fog = (1, ⅛)   . = (⅒, ⅒)   [CLS] = (1, ⅛)   [SEP] = (⅒, ⅒)

"sun rain" has the logits (1, 1 + ln 3), so p = (¼, ¾). With label 1, δ = (¼, −¼): the gradient is (¼, 0) at sun and (0, −¼) at
rain. With label 0, δ = (−¾, ¾): (−¾, 0) at sun and (0, ¾) at rain.

The sign is a plus wherever the paper's eqs. 2, 3, 6 and 7 print a minus: with a minus its proponents would be examples
that raise the loss, against its section 2.2 and table 3.
"""

import copy
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import word_contributions
from tiny import Bench, bench, stored
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from influence.attribution.methods import METHODS, get_method
from influence.attribution.query import MethodSettings, WordSelection
from influence.attribution.training_set import TrainingSet
from influence.clusters.dendrogram import influence_distances
from influence.explanations.layer_norms import Group, mean_cosines, squared_norms
from influence.formulas.ranking import extremes
from influence.formulas.words import top_k_positions
from influence.gradients.layers import TracedModel, layers_of
from influence.models.cnn import CnnConfig, CnnForSequenceClassification
from influence.models.encoding import encode
from influence.models.model import train_word_pieces

LN3 = math.log(3)
VOCABULARY = {
    "[PAD]": (0.0, 0.0),
    "[UNK]": (0.1, 0.1),
    "[CLS]": (1.0, 0.125),
    "[SEP]": (0.1, 0.1),
    "sun": (1.0, 0.5),
    "rain": (0.5, 1 + LN3),
    "the": (0.1, 1 + LN3),
    "fog": (1.0, 0.125),
    ".": (0.1, 0.1),
}
Example = tuple[str, int]


def tokenizer(*, start_end: bool) -> PreTrainedTokenizerFast:
    ids = {word: number for number, word in enumerate(VOCABULARY)}
    made = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    if start_end:
        made.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def hand_model(scale: float = 1.0) -> CnnForSequenceClassification:
    """The model above, its embeddings times `scale`, its last layer by `1 / scale`: the same logits, other gradients."""
    model = CnnForSequenceClassification(
        CnnConfig(vocab_size=len(VOCABULARY), embedding_size=2, num_filters=2, kernel_sizes=(1,), num_labels=2)
    )
    with torch.no_grad():
        model.embedding.weight.copy_(scale * torch.tensor(list(VOCABULARY.values())))
        model.convolutions[0].weight.copy_(torch.eye(2).unsqueeze(2))
        model.classifier.weight.copy_(torch.eye(2) / scale)
        model.convolutions[0].bias.zero_()
        model.classifier.bias.zero_()
    return model


def by_hand(
    folder: Path,
    train: list[Example],
    test: list[Example],
    *,
    top_k: int = 10,
    scales: tuple[float, ...] = (1.0,),
    rates: tuple[float, ...] = (1.0,),
    start_end: bool = False,
) -> Bench:
    """The engine's index of the hand model, over texts without start and end tokens unless asked for."""
    made = tokenizer(start_end=start_end)

    def split(examples: list[Example]) -> tuple[Any, list[int]]:
        return encode(made, [text for text, _ in examples], None, max_length=20), [label for _, label in examples]

    return Bench(folder, [hand_model(scale) for scale in scales], rates, made, split(train), split(test), top_k=top_k)


def exactly(*values: Any) -> Any:
    """The fractions as an array to compare with, float32 rounding allowed."""
    return pytest.approx(np.array([[float(Fraction(value)) for value in values]]), rel=1e-6, abs=1e-9)


def test_the_hand_model_is_as_described(tmp_path: Path) -> None:
    engine = by_hand(tmp_path, [("sun rain", 1)], [("sun rain", 1), ("sun rain", 0), ("sun sun rain", 1)])
    gradients = [query.checkpoints[0].gradients_LD for query in engine.query_list()]
    assert gradients[0] == pytest.approx(np.array([[1 / 4, 0], [0, -1 / 4]]), abs=1e-7)
    assert gradients[1] == pytest.approx(np.array([[-3 / 4, 0], [0, 3 / 4]]), abs=1e-7)
    assert gradients[2] == pytest.approx(np.array([[1 / 8, 0], [1 / 8, 0], [0, -1 / 4]]), abs=1e-7)


def test_equation_2_tracin_sums_learning_rate_times_inner_product_over_checkpoints(tmp_path: Path) -> None:
    """TracIn(x, x') = + Σ_c η_c ⟨∇ℓ_c(x), ∇ℓ_c(x')⟩.

    x = x' = "sun rain" with label 1: ⟨∇, ∇'⟩ = 1/16 + 1/16 = 1/8 at the first checkpoint. The second has embeddings twice
    as large and a last layer half as large: same logits and δ, gradients half as large, so ⟨∇, ∇'⟩ = 1/32. With learning
    rates ½ and 4 the score is 1/16 + 1/8 = 3/16.
    """
    engine = by_hand(tmp_path, [("sun rain", 1)], [("sun rain", 1)], scales=(1.0, 2.0), rates=(0.5, 4.0))
    parts = METHODS["tracin-we"].score(engine.index, engine.queries[0])
    assert parts.reshape(1, 2) == exactly("1/16", "1/8")
    assert engine.scores("tracin-we") == exactly("3/16")


def test_the_sign_is_positive_for_proponents(tmp_path: Path) -> None:
    """The same words: with the same label (¼)² + (¼)² = 1/8, with the other ¼·(−¾) + (−¼)·¾ = −3/8.

    So the first is a proponent (training on it lowers the loss on the query) and the second an opponent, as in table 3,
    where a non-toxic training sentence has a negative influence on a toxic one through "lazy".
    """
    engine = by_hand(tmp_path, [("rain sun", 1), ("sun rain", 0)], [("sun rain", 1)])
    assert engine.scores("tracin-we") == exactly("1/8", "-3/8")
    proponents, opponents = extremes(engine.scores("tracin-we")[0], np.arange(2), 10)
    assert (proponents.tolist(), opponents.tolist()) == ([0], [1])


def test_equation_3_a_word_that_occurs_twice_is_summed_before_the_product(tmp_path: Path) -> None:
    """TracIn-WE(x, x') = ⟨∂ℓ/∂Θ_WE, ∂ℓ'/∂Θ_WE⟩, and the row of a word is the sum over its positions.

    "sun sun rain": both suns hold the largest first coordinate, so each gets half of δ₁ = ¼. Summed first, the row of sun is
    ¼ and the score with itself (¼)² + (¼)² = 1/8, as for "sun rain". Product by product over equal positions would give
    2·(1/8)² + 1/16 = 3/32.
    """
    engine = by_hand(tmp_path, [("sun sun rain", 1), ("sun rain", 1)], [("sun sun rain", 1)])
    assert engine.scores("tracin-we") == exactly("1/8", "1/8")


def test_equation_4_the_score_is_a_sum_over_shared_words(tmp_path: Path) -> None:
    """TracIn-WE(x, x') = Σ_{w ∈ x ∩ x'} ⟨∂ℓ/∂Θ_w, ∂ℓ'/∂Θ_w⟩.

    "sun rain" and "sun the", both label 1: the first coordinate comes from sun in both, the second from rain here and from
    the there, which are not the same word. So sun contributes 1/16, and there is nothing else. "fog the" shares nothing.
    """
    engine = by_hand(tmp_path, [("sun the", 1), ("fog the", 1)], [("sun rain", 1)])
    assert engine.scores("tracin-we") == exactly("1/16", 0)
    assert engine.scores("tracin-we")[0, 1] == 0
    matches = engine.index.matches(engine.queries[0], np.array([0, 1]), WordSelection())
    # One pair of words, the first of both texts, of training example 0.
    assert [column.tolist() for column in matches[:3]] == [[0], [0], [0]]
    assert matches.scores_X == pytest.approx([1 / 16])
    table = word_contributions(
        np.array([4, 5]), np.array([[1 / 4, 0], [0, -1 / 4]]), np.array([4, 6]), np.array([[1 / 4, 0], [0, -1 / 4]])
    )
    np.testing.assert_array_equal(table, [[1 / 16, 0], [0, 0]])


def test_table_3_the_sentences_share_the_words_that_the_paper_prints() -> None:
    """S1 with T1: [S], [E], to, lazy, you, end, too. S1 with T2: [S], [E], to, lazy, you, end (punctuation not printed)."""
    s1 = "Oh yeah, if you're too lazy to fix tags yourself, you're supporting AI universal takeover in 2020. end it. kill it now."
    t1 = "I can always end my conversations so you would not get any answers because you are too lazy to remember anything"
    t2 = (
        "For me, the lazy days of summer is not over yet, and I advise you to please kindly consider to end one's life, thank you"
    )
    pieces = train_word_pieces([s1, t1, t2] * 2, vocabulary=400)
    s1_tokens, t1_tokens, t2_tokens = ([pieces.convert_ids_to_tokens(i) for i in pieces(text).input_ids] for text in (s1, t1, t2))
    assert set(s1_tokens) & set(t1_tokens) == {"[CLS]", "[SEP]", "to", "lazy", "you", "end", "too"}
    assert set(s1_tokens) & set(t2_tokens) - {",", "'"} == {"[CLS]", "[SEP]", "to", "lazy", "you", "end"}


def test_equation_5_top_k_takes_positions_by_norm_and_then_sums_by_word(tmp_path: Path) -> None:
    """∂ℓ/∂Θ_w|top-k = Σ_{i ∈ x^top-k, x_i = w} ∂ℓ/∂x_i: the cut comes before the sum.

    "sun sun rain": norms ⅛, ⅛, ¼. The two largest are rain and, the earlier of the equals, the first sun. Were words cut
    instead of positions, both suns would stay.
    """
    engine = by_hand(tmp_path, [("sun sun rain", 1)], [("sun sun rain", 1)], top_k=2)
    assert engine.queries[0].checkpoints[0].kept_L.tolist() == [True, False, True]
    norms_BL = np.array([[0.125, 0.125, 0.25, 9.0]])
    kept_BL = top_k_positions(norms_BL, np.array([[True, True, True, False]]), 2)  # the last is padding
    assert kept_BL.tolist() == [[True, False, True, False]]


def test_equation_6_tracin_we_topk_multiplies_what_both_sides_kept(tmp_path: Path) -> None:
    """TracIn-WE-Topk(x, x') = + Σ_{w ∈ x ∩ x'} ⟨∂ℓ/∂Θ_w|top-k, ∂ℓ'/∂Θ_w|top-k⟩.

    "sun sun rain" with itself at k = 2 keeps ⅛ of sun and ¼ of rain on both sides: 1/64 + 1/16 = 5/64. With "sun rain",
    which keeps all: ⅛·¼ + 1/16 = 3/32. At k = 1 only rain is left: 1/16; "sun rain" has equal norms and keeps the earlier,
    sun, which the query has cut: exactly 0. At k = 3 nothing is cut: eq. 3's 1/8.
    """
    examples, query = [("sun sun rain", 1), ("sun rain", 1)], [("sun sun rain", 1)]
    assert by_hand(tmp_path / "1", examples, query, top_k=1).scores("tracin-we-topk") == exactly("1/16", 0)
    assert by_hand(tmp_path / "2", examples, query, top_k=2).scores("tracin-we-topk") == exactly("5/64", "3/32")
    assert by_hand(tmp_path / "3", examples, query, top_k=3).scores("tracin-we-topk") == exactly("1/8", "1/8")


def test_top_k_is_chosen_at_every_checkpoint_anew(tmp_path: Path) -> None:
    """A word may be among the strongest at one checkpoint and not at the next; each checkpoint keeps its own k.

    The second model has its two logits exchanged in the first layer's favour: the first coordinate of its embeddings is
    halved, the last layer's first column doubled. Same logits; the gradient at sun is now (½, 0), larger than rain's. So with
    k = 1 "rain sun" keeps rain (the earlier of equals) at the first checkpoint and sun at the second: 1/16 + ¼ = 5/16.
    """
    second = hand_model()
    with torch.no_grad():
        second.embedding.weight[:, 0] /= 2
        second.classifier.weight[:, 0] *= 2
    made = tokenizer(start_end=False)
    encoding = encode(made, ["rain sun"], None, max_length=20)
    engine = Bench(tmp_path, [hand_model(), second], (1.0, 1.0), made, (encoding, [1]), (encoding, [1]), top_k=1)
    kept = [checkpoint.kept_L.tolist() for checkpoint in engine.queries[0].checkpoints]
    assert kept == [[True, False], [False, True]]
    assert engine.scores("tracin-we-topk") == exactly("5/16")


def test_section_5_noc_and_common_split_the_score_by_kind_of_token(tmp_path: Path) -> None:
    """TR-WE-NoC leaves common tokens out, TR-common takes the start and end token only.

    "[CLS] the . [SEP]", label 1: [CLS] holds the first coordinate (¼), the holds the second (−¼). All: 1/8; [CLS] alone:
    1/16; without start, end, stop word and punctuation: nothing. "[CLS] rain . [SEP]": rain is no common word, so NoC has its
    1/16, and with "[CLS] the . [SEP]" it shares [CLS] alone.
    """
    examples = [("the .", 1), ("rain .", 1)]
    engine = by_hand(tmp_path, examples, [("the .", 1)], start_end=True)
    assert engine.scores("tracin-we") == exactly("1/8", "1/16")
    assert engine.scores("tracin-common") == exactly("1/16", "1/16")
    assert engine.scores("tracin-we-noc") == exactly(0, 0)
    engine = by_hand(tmp_path / "rain", examples, [("rain .", 1)], start_end=True)
    assert engine.scores("tracin-we") == exactly("1/16", "1/8")
    assert engine.scores("tracin-we-noc") == exactly(0, "1/16")


def test_section_4_5_influence_without_a_shared_word_flows_through_start_and_end(tmp_path: Path) -> None:
    """ "[CLS] rain" and "[CLS] the" share no word, yet [CLS] carries 1/16; `--special-tokens` takes it out or alone."""
    engine = by_hand(tmp_path, [("the", 1)], [("rain", 1)], start_end=True)
    found = {
        how: engine.scores(METHODS["tracin-we"].with_selection(WordSelection(special_tokens=how)))
        for how in ("include", "exclude", "only")
    }
    assert found["include"] == exactly("1/16")
    assert found["only"] == exactly("1/16")
    assert found["exclude"].tolist() == [[0.0]]
    matches = engine.index.matches(engine.queries[0], np.array([0]), WordSelection())
    assert matches.special_X.tolist() == [True] * len(matches.special_X)


def test_appendix_g_tracin_last_is_features_times_loss_gradients(tmp_path: Path) -> None:
    """TracIn-Last(x, x') = (a·a′)(δ·δ′), the gradient of the last weight being δ aᵀ; no bias.

    "sun rain", label 1, with itself: a = (1, 1 + ln 3), a·a = 1 + (1 + ln 3)², δ·δ = 1/16 + 1/16 = 1/8. With "fog the", which
    shares no word but has the same a: the same, unlike TracIn-WE. With label 0: δ·δ′ = −3/8.
    """
    engine = by_hand(tmp_path, [("sun rain", 1), ("fog the", 1), ("sun rain", 0)], [("sun rain", 1)])
    similarity = 1 + (1 + LN3) ** 2
    expected = np.array([[similarity / 8, similarity / 8, -3 * similarity / 8]])
    assert engine.scores("tracin-last") == pytest.approx(expected, rel=1e-6)
    assert not METHODS["tracin-last"].words


def test_self_influence_is_the_squared_norm_of_the_word_gradients(tmp_path: Path) -> None:
    """Σ_c η_c Σ_w ‖g_w‖²: 1/8 for "sun sun rain" with label 1, 2·(¾)² = 9/8 with label 0, which the model finds unlikely.

    At k = 2 the first has 5/64 (see eq. 6); the second keeps (⅜)² + (¾)² = 45/64.
    """
    engine = by_hand(tmp_path, [("sun sun rain", 1), ("sun sun rain", 0)], [("sun", 1)], top_k=2)
    stored_N2 = stored(engine.folder, "train", 0, "self_influence")
    assert stored_N2 == pytest.approx(np.array([[5 / 64, 1 / 8], [45 / 64, 9 / 8]]), rel=1e-6)


def test_appendix_a_influence_distance(tmp_path: Path) -> None:
    """max(1 − I(a,b)/√(I(a,a) I(b,b)), 0).

    With label 1: a = "sun rain" has I(a,a) = 1/8; b = "sun the" the same, and shares sun with a: I(a,b) = 1/16, so they are
    1 − ½ = ½ apart. c = "rain sun" has the words of a: distance 0. d = "sun rain" with label 0 is an opponent of a,
    I(a,d) = −3/8 and I(d,d) = 9/8: 1 + (3/8)/√(9/64) = 2, as far apart as can be. e = "fog the" shares nothing with a: 1.
    """
    examples = [("sun rain", 1), ("sun the", 1), ("rain sun", 1), ("sun rain", 0), ("fog the", 1)]
    distances_EE = influence_distances(by_hand(tmp_path, examples, examples).scores("tracin-we"))
    assert distances_EE[0].reshape(1, -1) == exactly(0, "1/2", 0, 2, 1)
    assert distances_EE == pytest.approx(distances_EE.T, abs=1e-6)


def test_an_exact_zero_is_neither_and_ties_go_to_the_smaller_id() -> None:
    """Ids in the order 3, 1, 2: of the two that score 2, the one with the smaller id comes first."""
    proponents, opponents = extremes(np.array([2.0, 2.0, 0.0, -1.0, -1.0]), np.array([3, 1, 2, 5, 4]), 2)
    assert (proponents.tolist(), opponents.tolist()) == ([1, 0], [4, 3])


@pytest.mark.parametrize("kind", ["cnn", "bert"])
def test_start_and_end_tokens_of_a_trained_vocabulary_are_seen_as_such(tmp_path: Path, kind: str) -> None:
    """TR-common on a real tokenizer reads the two tokens it adds, and all of a text that shares nothing else."""
    engine = bench(tmp_path, kind, train=[("good film", 0)], test=[("dull music", 1)])
    assert (engine.scores("tracin-common") == engine.scores("tracin-we")).all()


def test_equation_1_representer_points_are_excitatory_for_their_own_class(tmp_path: Path) -> None:
    """Rep(x, x') = −(1/2λn) ∂ℓ/∂f_j · a·a′, positive = it raises logit j of x'.

    All texts are "sun rain": a = (1, 1 + ln 3). For j = 1 the example of label 1 has ∂ℓ/∂f_1 = −¼, that of label 0 has ¾. With
    λ = ¼ and n = 2, 2λn = 1: the values are a·a/4 and −3 a·a/4.
    """
    engine = by_hand(tmp_path, [("sun rain", 1), ("sun rain", 0)], [("sun rain", 1)])
    square = 1 + (1 + LN3) ** 2
    method = METHODS["representer"].with_settings(MethodSettings(l2=0.25))
    assert engine.scores(method)[0] == pytest.approx([square / 4, -3 * square / 4], rel=1e-6)
    # The bias is one more input, which is always 1.
    biased = method.with_settings(MethodSettings(l2=0.25, with_bias=True))
    assert engine.scores(biased)[0] == pytest.approx([(square + 1) / 4, -3 * (square + 1) / 4], rel=1e-6)


def test_equation_7_tf_idf_takes_the_place_of_the_last_layer_s_similarity(tmp_path: Path) -> None:
    """TR-TFIDF(x, x') = + cos(tf-idf, tf-idf′) · δ·δ′.

    The same words in another order have cosine 1, so label 1 scores (¼)² + (¼)² = 1/8 and label 0 −3/8; no common word, 0.
    """
    engine = by_hand(tmp_path, [("rain sun", 1), ("sun rain", 0), ("fog the", 1)], [("sun rain", 1)])
    sources = TrainingSet(engine.index, replace(engine.sources.parts, texts=lambda: ["rain sun", "sun rain", "fog the"]))
    query = replace(engine.queries[0], text="sun rain")
    assert METHODS["tracin-tfidf"].score(sources, query) == exactly("1/8", "-3/8", 0)


def test_equation_8_synonyms_are_matched_one_to_one(tmp_path: Path) -> None:
    """TracIn-WE-Syn: the assignment of largest Σ|WGS| among words whose embeddings have a cosine above 0.7.

    rain and the have cosine .98, sun and fog .94, sun and rain .64. "sun rain" with "fog the" shares no word, yet sun meets
    fog and rain meets the: 1/16 + 1/16, or with label 0 −3/16 − 3/16. In "sun fog the" the first coordinate is sun's and
    fog's in equal parts, ⅛ each, and the query's sun may meet one of them only: 1/32 + 1/16, where many to many
    would give 1/8.
    """
    engine = by_hand(tmp_path, [("fog the", 1), ("fog the", 0), ("sun fog the", 1)], [("sun rain", 1)])
    assert engine.scores("tracin-we-topk") == exactly(0, 0, "1/32")
    assert engine.scores("tracin-we-syn") == exactly("1/8", "-3/8", "3/32")
    matches = engine.sources.matches(engine.queries[0], np.array([0]), METHODS["tracin-we-syn"].selection)  # type: ignore[arg-type]
    assert list(zip(*(column.tolist() for column in matches[:4]), strict=True)) == [(0, 0, 0, 1 / 16), (0, 1, 1, 1 / 16)]


def test_section_3_gradients_of_the_bias_add_up_though_they_cancel(tmp_path: Path) -> None:
    """G(b) = Σ_i η ‖∂ℓ_i/∂b‖, with ∂ℓ/∂b = δ: (¼, −¼) for label 1 and (−¾, ¾) for label 0, the same direction reversed.

    Squared norms 1/8 and 9/8, and the cosine between the two is −1. The weights of the last layer have δ aᵀ, so the same
    cosine, and norms times ‖a‖ = √(1 + (1 + ln 3)²).
    """
    engine = by_hand(tmp_path, [("sun rain", 1)], [("sun rain", 1), ("sun rain", 0)])
    model, labels = engine.models[0], engine.labels["test"]
    layers = [layer for layer in layers_of(model) if layer.role == "last"]
    with TracedModel(model, layers, engine.sources.parts.settings()) as traced:
        squares = squared_norms(traced, engine.encodings["test"], labels, stage="norms")
        group, again = Group("last", "last", (0,)), copy.deepcopy(model)
        cosines = mean_cosines(traced, [group], engine.encodings["test"], labels, np.zeros(2), again, stage="directions")
    assert squares[:, 0, 1] == pytest.approx([1 / 8, 9 / 8])
    assert squares[:, 0, 0] == pytest.approx(squares[:, 0, 1] * (1 + (1 + LN3) ** 2))
    assert cosines[0] == pytest.approx([-1, -1])


def test_every_method_names_its_place_in_the_paper() -> None:
    """The table is the catalogue: ids as the command line has them, the default first, each with its source."""
    assert {id: method.source for id, method in METHODS.items()} == {
        "tracin-we-topk": "eqs. 5, 6",
        "tracin-we": "eqs. 3, 4",
        "tracin-we-syn": "app. H, eq. 8",
        "tracin-we-noc": "section 5",
        "tracin-common": "section 5",
        "tracin-we-adam": "TracIn-WE, preconditioned",
        "tracin-tfidf": "eq. 7",
        "tracin-last": "section 2, app. G",
        "influence-last": "section 2",
        "influence-second": "section 2, app. D",
        "representer": "eq. 1",
        "tracin-first": "section 3.3, table 1",
        "tracin-second": "section 3.3, table 1",
        "tracin-third": "section 3.3, table 1",
        "tracin-all": "section 3.3, table 1",
        "bm25": "control",
        "tfidf": "control",
        "random": "control",
        "random-same-label": "control",
    }
    assert all(method.id == id and method.title and method.about.endswith(".") for id, method in METHODS.items())
    assert get_method("tracin-we") is METHODS["tracin-we"]
