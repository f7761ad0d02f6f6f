"""What the training examples that pull hardest at one say of its label, and through which of its words.

Sign: a word's score above 0 says that, through it, training on those examples lowered the loss on the label that the example
carries; below 0, that it raised it. The Review card lights these words, and so do tasks for annotation tools.
"""

from collections.abc import Callable, Iterable

from influence.attribution import SpecialTokens
from influence.explanations.explaining import explain
from influence.explanations.explanation import Explanation, Influence
from influence.workspace import WorkspaceReader

EITHER_SIDE = 6  # examples that pull for the label, and that pull against it


def label_evidence(workspace: WorkspaceReader, train_id: str) -> Explanation:
    """The strongest proponents and opponents of a training example's own label. Raises `QueryError` for an unknown id."""
    return by_shared_words(lambda special: explain(workspace, train_id=train_id, top=EITHER_SIDE, special_tokens=special))


def by_shared_words(explained: Callable[[SpecialTokens], Explanation]) -> Explanation:
    """Through words they share, if any: start and end tokens would bring up the same few short examples for all."""
    found = explained("exclude")
    return found if found.proponents or found.opponents else explained("include")


def word_sums(influences: Iterable[Influence]) -> dict[int, float]:
    """Contribution of each word of the explained sentence, by its index, summed over some training examples."""
    sums: dict[int, float] = {}
    for influence in influences:
        for word, score in influence.test_words().items():
            sums[word] = sums.get(word, 0.0) + score
    return sums


def word_support(found: Explanation) -> dict[int, float]:
    """`word_sums` of all that an explanation holds, start and end tokens left out."""
    sums = word_sums([*found.proponents, *found.opponents])
    return {word: score for word, score in sums.items() if found.query.words[word].side >= 0}
