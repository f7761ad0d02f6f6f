from .cancellation import cancellation_table as cancellation_table, write_cancellation as write_cancellation
from .evidence import (
    EITHER_SIDE as EITHER_SIDE,
    by_shared_words as by_shared_words,
    label_evidence as label_evidence,
    word_sums as word_sums,
    word_support as word_support,
)
from .explaining import all_scores as all_scores, explain as explain
from .explanation import (
    Effect as Effect,
    Effects as Effects,
    Explanation as Explanation,
    Influence as Influence,
    Match as Match,
    Sentence as Sentence,
    Word as Word,
    check_label as check_label,
    effects as effects,
    positions_of as positions_of,
    sentences as sentences,
    word_totals as word_totals,
)
from .last_layer_words import has_score_words as has_score_words, score_words as score_words
from .pieces import Spans as Spans, WordPieces as WordPieces, word_pieces as word_pieces
from .scores import scores_of as scores_of, training_set as training_set
from .spreading import answer_with as answer_with, spread_over as spread_over
from .word_influence import (
    APART as APART,
    COMMON as COMMON,
    PIECE as PIECE,
    TOKEN as TOKEN,
    MistakeFilter as MistakeFilter,
    WordExample as WordExample,
    confusions as confusions,
    count_mistakes as count_mistakes,
    has_words as has_words,
    read_examples as read_examples,
    word_confusions as word_confusions,
    word_examples as word_examples,
    words as words,
    write_words as write_words,
)
