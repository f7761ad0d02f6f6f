"""Equal texts with equal labels get equal scores to the last bit, wherever they stand and whoever asks; ties go by id."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, strategies as st
from tiny import ANYWHERE, Bench, bench, labelled, request, rows, write_csv

from influence import all_scores, explain, open_workspace
from influence.attribution.methods import METHODS
from influence.attribution.training_set import TrainingSet
from influence.explanations.scores import scores_of
from influence.gradients.alike import first_alike
from influence.sources import RowNumbers
from influence.workspace.build import build_workspace
from influence.workspace.result_tables import in_id_order
from influence.workspace.workspace import TIE_RANKS, id_ranks

COPIED, N = 11, 60
# Copies in between: so in other batches, with other padding beside them, and at other places of every matrix product.
PLACES = [(at * 7) % N for at in range(COPIED)]
# Those that are drawn have no ties; what is solved with a Hessian takes long and has its own test.
DETERMINED = [id for id in ANYWHERE if not METHODS[id].drawn and METHODS[id].needs != "hessian"]


@pytest.fixture(scope="module", params=["cnn", "bert"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    train, twin = labelled(N, seed=1), labelled(1, seed=5)[0]
    train = [twin if place in PLACES else example for place, example in enumerate(train)]
    train[1] = (twin[0], (twin[1] + 1) % 3)  # the same text with another label is no copy
    test = [*labelled(9, seed=2), twin, *labelled(9, seed=3), twin]
    folder = tmp_path_factory.mktemp(request.param)
    made = bench(folder, request.param, train=train, test=test, batch_tokens=40)
    made.texts = [text for text, _ in train]  # type: ignore[attr-defined]
    made.test_texts = [text for text, _ in test]  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("method", DETERMINED)
def test_copies_have_the_same_score_to_the_last_bit(engine: Bench, method: str) -> None:
    sources = TrainingSet(engine.index, replace(engine.sources.parts, texts=lambda: engine.texts))  # type: ignore[attr-defined]
    queries = [replace(q, text=text) for q, text in zip(engine.query_list(), engine.test_texts, strict=True)]  # type: ignore[attr-defined]
    chosen = METHODS[method]
    single_MCN = np.stack([chosen.score(sources, query) for query in queries])
    assert (single_MCN[..., PLACES] == single_MCN[..., PLACES[:1]]).all()
    if method not in ("bm25", "tfidf"):
        assert (single_MCN[..., 1] != single_MCN[..., PLACES[0]]).any()
    if chosen.selection is not None:
        many_MN = sources.word_scores_many(queries, chosen.selection)
        assert (many_MN[:, PLACES] == many_MN[:, PLACES[:1]]).all()
    if method not in ("bm25", "tfidf"):  # the two equal test examples, too
        assert (single_MCN[9] == single_MCN[19]).all()


def test_what_is_stored_of_copies_is_the_same(engine: Bench) -> None:
    for number in range(len(engine.models)):
        for name in ("self_influence", "losses", "probabilities", "features"):
            split = engine.index.split
            found = (
                np.concatenate([split.features(one, number) for one in split.segments])
                if name == "features"
                else split.column(name, number)
            )
            assert (found[PLACES] == found[PLACES[0]]).all(), name
    queries = engine.query_list()
    for one, other in zip(queries[9].checkpoints, queries[19].checkpoints, strict=True):
        assert (one.gradients_LD == other.gradients_LD).all()
        assert (one.kept_L == other.kept_L).all()


def test_examples_alike_are_found_by_a_loop(engine: Bench) -> None:
    encoding, labels = engine.encodings["train"], engine.labels["train"]
    first_N = first_alike(encoding, labels)
    edges = encoding.offsets_N1.tolist()
    keys = [(encoding.tokens_R[a:b].tolist(), label) for a, b, label in zip(edges, edges[1:], labels, strict=False)]
    assert first_N.tolist() == [keys.index(key) for key in keys]
    assert len(set(first_N[PLACES].tolist())) == 1 < len(set(first_N.tolist()))


def test_ties_go_by_id_in_stored_typed_and_written_answers(tmp_path: Path) -> None:
    """Nine copies of two sentences under ids that are in no order: they stand in the order of their ids, whoever asks."""
    made = rows(40, seed=3)
    twins = [(f"t{number}", made[number % 2][1], made[number % 2][2]) for number in (7, 2, 5, 0, 3, 8, 1, 6, 4)]
    train = [row for number, row in enumerate(made) for row in (*twins[number // 4 : number // 4 + 1] * (number % 4 == 0), row)]
    data = {
        "train": write_csv(tmp_path / "train.csv", train),
        "test": write_csv(tmp_path / "test.csv", [*rows(6, seed=4, prefix="te"), ("twin", made[0][1], made[0][2])]),
    }
    build_workspace(tmp_path / "w", request(data))
    workspace = open_workspace(tmp_path / "w")
    groups = [[id for id, text, _ in train if text == made[which][1]] for which in (0, 1)]
    for test_id in ("te1", "twin"):
        sentence = explain(workspace, test_id=test_id).query
        for method in ("tracin-we-topk", "tracin-we", "tracin-last", "tracin-all", "influence-last", "representer", "tfidf"):
            found = {
                "stored": explain(workspace, test_id=test_id, method=method, top=60),
                "typed": explain(workspace, text=sentence.text, label=sentence.label, method=method, top=60),
            }
            written = all_scores(workspace, test_id=test_id, method=method).set_index("train_id")["score"]
            scores_MN = scores_of(workspace, method, [0, 6, 1])
            many = dict(zip(workspace.train_ids(), scores_MN[1 if test_id == "twin" else 2], strict=True))
            for group in groups:
                assert len({written[id] for id in group}) == len({many[id] for id in group}) == 1
                for name, explanation in found.items():
                    listed = [one for one in (*explanation.proponents, *explanation.opponents) if one.train.id in group]
                    assert len({one.score for one in listed}) <= 1, (name, method)
                    assert [one.train.id for one in listed] == sorted(one.train.id for one in listed), (name, method)
                    assert listed or written[group[0]] == 0


@pytest.mark.parametrize(
    ("ids", "ordered"), [(["10", "9", "b", "2"], ["10", "2", "9", "b"]), (["10", "9", "100", "2"], ["2", "9", "10", "100"])]
)
def test_tables_order_ids_as_the_library_does(ids: list[str], ordered: list[str]) -> None:
    connection = duckdb.connect()
    connection.execute("create table examples as select unnest(?::varchar[]) as id", [ids])
    found = connection.execute(f"select e.id from examples e order by {in_id_order('e.id', 'examples')}").fetchall()
    assert [id for (id,) in found] == ordered == [ids[at] for at in np.argsort(id_ranks(ids))]


def by_sorting(ids: list[str]) -> list[int]:
    """The ranks by Python's own sort."""
    numbers = all(id.isdecimal() and id.isascii() for id in ids)
    order = sorted(range(len(ids)), key=lambda at: (int(ids[at]) if numbers else 0, ids[at]))
    return [order.index(at) for at in range(len(ids))]


@given(
    ids=st.lists(st.text(st.characters(codec="utf-8"), max_size=4) | st.from_regex(r"\A[0-9]{1,3}\Z"), unique=True, max_size=30)
)
def test_ranks_are_those_of_a_sort(ids: list[str]) -> None:
    assert id_ranks(ids).tolist() == by_sorting(ids)


@given(ids=st.lists(st.from_regex(r"\A[0-9]{1,25}\Z"), unique=True, max_size=30))
def test_ranks_of_numbers_are_those_of_a_sort(ids: list[str]) -> None:
    """However long they are, and with zeros before them."""
    assert id_ranks(ids).tolist() == by_sorting(ids)


def test_row_numbers_are_in_order_and_a_build_keeps_the_ranks(tmp_path: Path) -> None:
    assert id_ranks(RowNumbers(1_234)).tolist() == id_ranks([str(row) for row in range(1_234)]).tolist() == list(range(1_234))
    made = rows(30, seed=5)
    data = {"train": write_csv(tmp_path / "train.csv", made[:20]), "test": write_csv(tmp_path / "test.csv", made[20:])}
    build_workspace(tmp_path / "w", request(data))
    workspace = open_workspace(tmp_path / "w")
    kept = workspace.tie_ranks_N.tolist()
    assert (workspace.build / TIE_RANKS).is_file()
    assert kept == by_sorting(workspace.train_ids())
    build_workspace(tmp_path / "older", request(data))
    older = open_workspace(tmp_path / "older")
    (older.build / TIE_RANKS).unlink()
    assert older.tie_ranks_N.tolist() == kept
