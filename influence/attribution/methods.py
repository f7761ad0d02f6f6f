"""The table of methods: what each compares, and in which order they are offered.

Sign, here and everywhere: a score above 0 is a proponent (a gradient step on the training example lowers the loss on
the query), below 0 an opponent.
"""

from influence.attribution import scoring
from influence.attribution.method import Method, Needs
from influence.attribution.query import WordSelection, check_method


def _word_method(id: str, title: str, about: str, source: str, selection: WordSelection) -> Method:
    needs: Needs = "synonyms" if selection.synonyms else "states" if selection.adam else "index"
    return Method(id, title, about, source, needs, scoring.over_words, selection)


def _layer_method(id: str, title: str, about: str) -> Method:
    return Method(id, title, about, "section 3.3, table 1", "pass", scoring.whole_layer, layer=id.removeprefix("tracin-"))


METHODS: dict[str, Method] = {
    method.id: method
    for method in (
        _word_method(
            "tracin-we-topk",
            "TracIn-WE-Topk",
            "Inner products of word-embedding gradients over shared words, the strongest positions of each sentence only.",
            "eqs. 5, 6",
            WordSelection(top_k=True),
        ),
        _word_method(
            "tracin-we",
            "TracIn-WE",
            "Inner products of word-embedding gradients over every shared word.",
            "eqs. 3, 4",
            WordSelection(),
        ),
        _word_method(
            "tracin-we-syn",
            "TracIn-WE-Syn",
            "TracIn-WE-Topk where a word may also match one other word of similar embedding (cosine above 0.7).",
            "app. H, eq. 8",
            WordSelection(top_k=True, synonyms=True),
        ),
        _word_method(
            "tracin-we-noc",
            "TracIn-WE without common tokens",
            "TracIn-WE without start and end tokens, stop words and punctuation.",
            "section 5",
            WordSelection(tokens="uncommon"),
        ),
        _word_method(
            "tracin-common",
            "TracIn-WE on start and end tokens",
            "TracIn-WE on the start and end tokens only: influence that needs no shared word.",
            "section 5",
            WordSelection(tokens="start-end"),
        ),
        _word_method(
            "tracin-we-adam",
            "TracIn-WE by Adam's steps",
            "TracIn-WE of what a step of Adam does; for models trained by AdamW with --keep-optimizer.",
            "TracIn-WE, preconditioned",
            WordSelection(adam=True),
        ),
        Method(
            "tracin-tfidf",
            "TracIn with tf-idf",
            "How alike the texts are (tf-idf cosine) times the inner product of the loss gradients at the logits.",
            "eq. 7",
            "texts",
            scoring.text_times_loss,
        ),
        Method(
            "tracin-last",
            "TracIn on the last layer",
            "Inner products of the last linear layer's gradients, bias left out; it cannot be split over words.",
            "section 2, app. G",
            "last layer",
            scoring.last_layer,
        ),
        Method(
            "influence-last",
            "Influence function, last layer",
            "By how much the loss would rise without the example, were the last layer alone fitted again (damped Hessian).",
            "section 2",
            "last layer",
            scoring.influence_last,
        ),
        Method(
            "influence-second",
            "Influence function, second layer",
            "By how much the loss would rise without the example, were the weights right after the word embedding alone "
            "fitted again (damped Hessian).",
            "section 2, app. D",
            "hessian",
            scoring.influence_layer,
            layer="second",
        ),
        Method(
            "representer",
            "Representer points",
            "What the example adds to the logit of the explained label, through the last layer's inputs.",
            "eq. 1",
            "last layer",
            scoring.representer,
        ),
        _word_method(
            "tracin-first",
            "TracIn on the first layer",
            "Inner products of the gradients of the first layer, the word embedding: the same number as TracIn-WE.",
            "section 3.3, table 1",
            WordSelection(),
        ),
        _layer_method(
            "tracin-second",
            "TracIn on the second layer",
            "Inner products of gradients of the weights right after the word embedding: first convolution or encoder block.",
        ),
        _layer_method(
            "tracin-third",
            "TracIn on the third layer",
            "Inner products of gradients of the weights of the second convolution or encoder block.",
        ),
        _layer_method(
            "tracin-all",
            "TracIn on all layers",
            "Inner products of the gradients of all weights: word embedding, convolutions, linear layers.",
        ),
        Method(
            "bm25",
            "BM25",
            "A control that knows the texts only: how well the example matches the sentence as a search engine ranks. "
            "No opponents.",
            "control",
            "texts",
            scoring.bm25,
        ),
        Method(
            "tfidf",
            "tf-idf similarity",
            "A control that knows the texts only: the cosine of their tf-idf vectors, from 0 to 1. No opponents.",
            "control",
            "texts",
            scoring.tfidf,
        ),
        Method(
            "random",
            "Random",
            "A control: random scores. A useful method finds better examples than this.",
            "control",
            "nothing",
            scoring.random,
        ),
        Method(
            "random-same-label",
            "Random, same label",
            "A control: random examples of the query's label as proponents, of other labels as opponents.",
            "control",
            "nothing",
            scoring.random_same_label,
        ),
    )
}


def get_method(id: str) -> Method:
    """The method of that id. Raises `QueryError` naming the methods there are."""
    check_method(id)
    return METHODS[id]
