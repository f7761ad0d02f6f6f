"""One cause: what its members are called and should be, and every member with the words that tie it to the others."""

from influence.clusters import Cluster, Member, cluster, cluster_members
from influence.data import find
from pages.ui.frame import Session, numbers, render, shell, turn_pages
from pages.ui.parts import bulk_bar, explanation_board, scales, suspect_choice, verdicts
from pages.ui.suspects import controls, members, worth
from pages.ui.suspects.address import CausesAddress

PAGE = 25
LEAST_LIT = 0.1  # of what the strongest word of a sentence carries; below it almost every function word would be lit


def draw(session: Session, address: CausesAddress) -> None:
    """The whole of it."""
    found = cluster(session.workspace, address.cluster)
    _head(session, address, found)
    left = members.undecided(session, found.train_ids, address.decided)
    origin = {"kind": "cluster", "cluster": found.number, "words": found.words, "threshold": address.threshold}
    scope = suspect_choice.scope(session, lambda: left, len(left), origin, f"Cluster: {found.name}")
    every = bulk_bar.with_words(scope, tuple(found.words))
    with controls.line(address, search="", key="cause"):
        controls.decided(address, key="cause", count=found.size - len(left), page=1)
        if left:
            bulk_bar.review(session, every)
        change = f"cluster:{found.number}:{'remove' if found.suggestions == found.labels else 'relabel'}"
        shell.link("proof", "Would it help? Try it in Proof", workspace=address.workspace, change=change)
    if not left:
        members.all_decided(session, found.size)
        return
    pages = max(1, -(-len(left) // PAGE))
    page = min(address.page, pages)
    shown = left[(page - 1) * PAGE : page * PAGE]
    tied = _members(session, found, shown)
    texts = {id: _text(session, id) for id in found.train_ids}
    more = {id: _more(member, [text for other, text in texts.items() if other != id]) for id, member in tied.items()}
    of = f"{session.workspace.name} cause {found.number} {address.decided}"
    whole = members.List(every, of, usual=left if pages == 1 else ())
    members.draw(session, members.known(session, shown), whole, more)
    turn_pages(address, page, pages, key="clusters_page")


def _head(session: Session, address: CausesAddress, found: Cluster) -> None:
    back = address.at(cluster=-1, page=1)
    tie = worth.tie(found)
    about = f"{numbers.counted(found.size, 'sentence')} that pull the model the same way{f'; {tie}' if tie else ''}"
    controls.picked("All causes", back, found.name, about, key="clusters_back")
    facts = [
        ("Labelled", verdicts.label_counts(found.labels)),
        ("The model says", verdicts.label_counts(found.predictions)),
        ("Suggested", verdicts.label_counts(found.suggestions)),
        ("What hangs on it", worth.sentence(found, scales.chances(session.workspace, session.reviews))),
    ]
    render.facts([fact for fact in facts if fact[1]])


def _members(session: Session, found: Cluster, shown: list[str]) -> dict[str, Member]:
    """The members on the page with their words, which the engine reads by place."""
    places = sorted(found.train_ids.index(id) for id in shown)
    read = cluster_members(session.workspace, found.number, limit=places[-1] - places[0] + 1, offset=places[0])
    return {str(member.sentence.id): member for member in read if str(member.sentence.id) in set(shown)}


def _text(session: Session, id: str) -> str:
    example = session.reviews.corpus[id]
    return f"{example.text} {example.text_pair or ''}"


def _more(member: Member, others: list[str]) -> members.More:
    """What ties it to the others: words that one of them holds, too, not pieces of words, and those that carry something."""
    sentence = member.sentence
    words = {word: score for word, score in member.words.items() if sentence.words[word].side >= 0}
    most = max(map(abs, words.values()), default=0.0)
    words = {
        word: score
        for word, score in words.items()
        if abs(score) >= LEAST_LIT * most and any(find(text, sentence.words[word].text) for text in others)
    }
    says = numbers.probability(sentence.probabilities[sentence.predicted])
    return members.More(explanation_board.sides(sentence, words), words, f"the model says {sentence.predicted}, {says}")
