"""Files of opinions: every form says the same, every fault is one line, and what is kept is what was said."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from influence.errors import DataError, QueryError, WorkspaceDamaged, WorkspaceError
from influence.opinion_files.apart import add_files_apart
from influence.opinion_files.asked import Asked
from influence.opinion_files.keeping import add_files, add_rows, forget, kept_opinions
from influence.opinion_files.matched import heard, state
from influence.opinion_files.reading_files import read_files
from influence.opinion_files.rows import as_jsonl, write_rows
from influence.opinion_files.voices import Voice
from influence.workspace.manage import back_up, restore
from influence.workspace.verify import verify_workspace
from influence.workspace.workspace import opened, read_workspace

ASKED = Asked("the test's data", [f"e{n}" for n in range(6)], ["World", "Sports", "Sci/Tech"], [f"hash {n}" for n in range(6)])
SAID: dict[str, list[float | None]] = {"e0": [0.1, 0.8, 0.1], "e3": [1, None, 0], "e5": [0.25, 0.25, 0.5]}


def read(file: Path) -> list[Voice]:
    (found,) = read_files([str(file)], ASKED)
    return found.voices


def said(voice: Voice) -> dict[str, tuple[str, list[float]]]:
    """Example by example: the label, and the probabilities, none for a bare label."""
    shares = [[] if np.isnan(row).any() else row.tolist() for row in voice.probabilities_SY]
    labels = [voice.labels[number] for number in voice.said_S]
    return {id: (label, row) for id, label, row in zip(voice.ids, labels, shares, strict=True)}


def objects(values: list[float | None]) -> dict[str, float | None]:
    return dict(zip(ASKED.labels, values, strict=True))


def csv_of(header: str, lines: list[str]) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def cell(values: list[float | None]) -> str:
    return '"' + json.dumps(objects(values)).replace('"', '""') + '"'


def parquet(column: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"example_id": list(SAID), "probabilities": column}), sink)
    return sink.getvalue().to_pybytes()


def numbers(values: list[float | None]) -> str:
    return ",".join("" if value is None else str(value) for value in values)


LINES = b"".join(json.dumps({"example_id": id, "probabilities": objects(row)}).encode() + b"\n" for id, row in SAID.items())
FORMS = {
    "svm.csv": csv_of("example_id,p_World,p_Sports,p_Sci/Tech", [f"{id},{numbers(row)}" for id, row in SAID.items()]),
    "svm.tsv": csv_of("example_id\tWorld\tSports\tSci/Tech", [f"{i}\t{numbers(r)}".replace(",", "\t") for i, r in SAID.items()]),
    "svm.jsonl": LINES,
    "svm.jsonl.gz": gzip.compress(LINES),
    "svm.ndjson": b"".join(json.dumps({"example_id": id, **objects(row)}).encode() + b"\n" for id, row in SAID.items()),
    "svm.json": json.dumps([{"example_id": id, "p_ sports": row[1], "p_World": row[0], "p_SCI/TECH": row[2], "text": "p"}
                            for id, row in SAID.items()]).encode(),
    "svm.csv.gz": gzip.compress(csv_of("example_id,probabilities", [f"{id},{cell(row)}" for id, row in SAID.items()])),
    "svm.parquet": parquet(pa.array([objects(row) for row in SAID.values()])),
    "map/svm.parquet": parquet(pa.array([list(objects(row).items()) for row in SAID.values()],
                                        pa.map_(pa.string(), pa.float64()))),
    "text/svm.parquet": parquet(pa.array([json.dumps(objects(row)) for row in SAID.values()])),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_the_same(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(FORMS[name])
    (voice,) = read(file)
    assert (voice.name, voice.hashes, voice.dates) == ("svm", ["hash 0", "hash 3", "hash 5"], ["", "", ""])
    expected = {"e0": ("Sports", [0.1, 0.8, 0.1]), "e3": ("World", [1, 0, 0]), "e5": ("Sci/Tech", [0.25, 0.25, 0.5])}
    found = said(voice)
    assert {id: label for id, (label, _) in found.items()} == {id: label for id, (label, _) in expected.items()}
    for id, (_, row) in expected.items():
        np.testing.assert_allclose(found[id][1], row)


def test_several_names_in_one_file(tmp_path: Path) -> None:
    """Long form: who said nothing is silent, who said the same twice said it once, a row without a name is the file's."""
    rows = [
        *({"name": "ann1", "example_id": f"e{n}", "label": label, "annotated_at": "2026-01-31"} for n, label in
          enumerate(["World", "Sports", "", " sports"])),
        {"name": "ann2", "example_id": "e1", "label": "Sci/Tech"},
        {"name": "ann2", "example_id": "e1", "label": "sci/tech"},
        {"name": " ", "example_id": "e4", "label": None},
        {"name": " ", "example_id": "e5", "label": ["World"]},
        {"name": "ann3", "example_id": "gone", "label": "no label of this data"},
    ]  # fmt: skip
    file = tmp_path / "second look.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (found,) = read_files([str(file)], ASKED)
    assert {voice.name: said(voice) for voice in found.voices} == {
        "ann1": {"e0": ("World", []), "e1": ("Sports", []), "e3": ("Sports", [])},
        "ann2": {"e1": ("Sci/Tech", [])},
        "second look": {"e5": ("World", [])},
    }
    assert found.voices[0].dates == ["2026-01-31"] * 3
    assert found.notes == [f"{str(file)!r}: 1 of 9 rows are about no training example, the first about 'gone'; they are left out"]


FAULTS = {
    "ids": ("example_id,label\nx1,World\nx2,World\n",
            "none of its 2 ids is one of a training example: it has 'x1', the test's data has 'e0'; give the ids of the "
            "training data in a column 'example_id'"),
    "no id column": ("id,label\ne0,World\n", "opinions: 'example_id'"),
    "an empty id": ("example_id,label\ne0,World\n,World\n", "1 row without an id (row 3: column 'example_id' is empty)"),
    "unknown": ("example_id,label\ne0,World\ne1,Sprots\ne2,Sprots\n",
                "2 rows with a label that training does not have (row 3: 'Sprots'; it has 'World', 'Sports', 'Sci/Tech')"),
    "unknown column": ("example_id,p_Sprots\ne0,1\n", "column 'p_Sprots': training does not have this label; it has 'World'"),
    "twice": ("example_id,p_World,p_world\ne0,1,0\n", "column 'p_world': this label has another column"),
    "nothing said": ("example_id,text\ne0,hello\n", "it says no label; it needs a column 'label', 'probabilities' or one a label "
                     "as 'p_World'; it has 'example_id', 'text'"),
    "all empty": ("example_id,label\ne0,\n", "no row says anything of a training example: every label and probability is empty"),
    "no rows": ("example_id,label\n", "has no rows"),
    "no number": ("example_id,p_World,p_Sports\ne0,high,0\n", "1 row with a probability that is no number (row 2: 'high')"),
    "nan": ("example_id,p_World,p_Sports\ne0,nan,0\n", "1 row with a probability that is no number (row 2: 'nan')"),
    "infinite": ("example_id,p_World,p_Sports\ne0,1e999,0\n", "1 row with a probability that is no number (row 2: '1e999')"),
    "negative": ("example_id,p_World,p_Sports\ne0,1.2,-0.2\n", "1 row with a negative probability (row 2: -0.2)"),
    "per cent": ("example_id,World,Sports\ne0,90,10\n", "1 row whose probabilities do not sum to 1 (row 2: they sum to 100)"),
    "zeros": ("example_id,World,Sports\ne0,0,0\n", "1 row whose probabilities do not sum to 1 (row 2: they sum to 0)"),
    "no object": ("example_id,probabilities\ne0,\"[0.1, 0.9]\"\n", "1 row in which column 'probabilities' is no object as "
                  "{'Sports': 0.9, 'World': 0.1} (row 2: '[0.1, 0.9]')"),
    "an object's label": ('example_id,probabilities\ne0,"{""Sprots"": 1}"\n',
                          "1 row with a label that training does not have (row 2: 'Sprots' in column 'probabilities')"),
    "a label twice": ('example_id,probabilities\ne0,"{""World"": 1, ""world"": 0}"\n',
                      "1 row with two probabilities of one label (row 2: 'world' in column 'probabilities')"),
    "contradiction": ("example_id,name,label\ne0,ann,World\ne1,ann,World\ne0,ann,Sports\n",
                      "1 row in which a name contradicts an earlier row of its own (row 4: 'ann' says two things of 'e0', "
                      "the first in row 2)"),
    "a name of lines": ('example_id,name,label\ne0,"a\nb",World\n',
                        "1 row whose name is no line of up to 100 characters (row 2: 'a\\nb')"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_is_one_line(case: str, tmp_path: Path) -> None:
    content, expected = FAULTS[case]
    file = tmp_path / "gpt.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as raised:
        read_files([str(file)], ASKED)
    line = str(raised.value)
    assert line.startswith((f"{str(file)!r}", "opinions:")), line
    assert expected in line
    assert "\n" not in line


def test_one_name_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("example_id,name,label\ne0,ann,World\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'ann' has an opinion in .*a\.csv', too; rename one"):
        read_files([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")], ASKED)


def test_rows_kept_are_the_rows_of_their_file(copied: Callable[[], Path], tmp_path: Path) -> None:
    """What an importer adds at once and what it writes into a file that is added later are the same."""
    path = copied()
    rows = [("ann1", "tr0", "pos", "2026-01-31T09:00:00Z"), ("ann1", "tr7", "neg", None), ("Zoë", "tr7", "pos", None)]
    with opened(path) as workspace:
        assert add_rows(workspace, rows, source="label studio.json") == []
        before, kept = state(workspace), kept_opinions(path)
        write_rows(tmp_path / "rows.jsonl", rows)
        assert (tmp_path / "rows.jsonl").read_bytes() == as_jsonl(rows)
        assert add_files(workspace, [str(tmp_path / "rows.jsonl")]) == []
        assert state(workspace) == before
        assert [(one.name, one.source, one.examples, one.probabilities) for one in kept] == [
            ("Zoë", "label studio.json", 1, False),
            ("ann1", "label studio.json", 2, False),
        ][:: -1 if "ann1" < "Zoë" else 1]
        found = {one.name: (one.positions_S.tolist(), one.said_S.tolist()) for one in heard(workspace)}
        assert found == {"ann1": ([0, 7], [1, 0]), "Zoë": ([7], [1])}
        assert kept_opinions(path)[0].table().column("annotated_at").to_pylist() in ([None], ["2026-01-31T09:00:00Z", None])


def test_kept_replaced_forgotten_and_restored(copied: Callable[[], Path], tmp_path: Path) -> None:
    path = copied()
    file = tmp_path / "svm.csv"
    file.write_text("example_id,p_neg,p_pos\ntr3,0.2,0.8\ntr1,0.7,0.31\n", encoding="utf-8")
    with opened(path) as workspace:
        add_files(workspace, [str(file)])
        (found,) = heard(workspace)
        assert (found.positions_S.tolist(), found.said_S.tolist()) == ([1, 3], [0, 1])
        np.testing.assert_allclose(found.probabilities_SY, [[0.7 / 1.01, 0.31 / 1.01], [0.2, 0.8]])
        add_rows(workspace, [("svm", "tr5", "neg", None), ("b", "tr5", "pos", None)], source="x")
        assert [(one.name, one.examples) for one in kept_opinions(path)] == [("b", 1), ("svm", 1)]
        assert len(list((path / "opinions").iterdir())) == 4, "nothing of what was replaced stays"
    assert back_up(path, tmp_path / "backup.zip") > 0
    restored = tmp_path / restore(tmp_path / "backup.zip", tmp_path, "again")
    with opened(restored) as again, opened(path) as workspace:
        assert state(again) == state(workspace)
        forget(restored, "svm")
        assert [one.name for one in heard(again)] == ["b"]
        with pytest.raises(QueryError, match="'again' has no opinion by the name 'svm'; it keeps 'b'"):
            forget(restored, "svm")
        forget(restored, "b")
        assert (list((restored / "opinions").iterdir()), heard(again)) == ([], [])


def test_who_spoke_of_another_text_is_silent(copied: Callable[[], Path]) -> None:
    """Ids may be row numbers: an opinion holds for the text that it was given of."""
    path = copied()
    with opened(path) as workspace:
        add_rows(workspace, [("ann", "tr0", "pos", None), ("ann", "tr1", "neg", None)], source="x")
        changed = Asked.of_workspace(workspace)
        voices = [Voice("ann", ["tr0", "tr1"], [changed.hashes[0], "another"], ["", ""], changed.labels,
                        np.array([1, 0]), np.full((2, 2), np.nan))]  # fmt: skip
        from influence.opinion_files.keeping import keep
        from influence.opinion_files.voices import Voices

        keep(workspace, Voices("x", "", voices))
        (found,) = heard(workspace)
        assert (found.positions_S.tolist(), found.said_S.tolist()) == ([0], [1])


def test_damage_is_named(copied: Callable[[], Path], tmp_path: Path) -> None:
    path = copied()
    with opened(path) as workspace:
        add_rows(workspace, [("ann", "tr0", "pos", None)], source="x")
        assert verify_workspace(path).damaged == []
        (file,) = (path / "opinions").glob("*.parquet")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        with pytest.raises(WorkspaceDamaged, match="is damaged"):
            heard(workspace)
        assert verify_workspace(path).line.startswith(f"'opinions/{file.name}' is not what was written")
        with pytest.raises(WorkspaceError, match="forget that opinion with suspects --forget-opinion"):
            back_up(path, tmp_path / "no.zip")
        (pointer,) = (path / "opinions").glob("*.json")
        pointer.write_text(pointer.read_text().replace('"ann"', '"eve"'))
        with pytest.raises(WorkspaceDamaged, match="its digest differs"):
            kept_opinions(path)
    assert read_workspace(path).info.n_train == 80


def test_a_file_that_ends_the_process_that_reads_it_ends_no_other(copied: Callable[[], Path], tmp_path: Path) -> None:
    """A damaged Parquet file whose numbers contradict each other, and one that costs more time than it may."""
    path, bad, good = copied(), tmp_path / "bad.parquet", tmp_path / "good.csv"
    content = bytearray(FORMS["map/svm.parquet"])
    content[214:214], content[426:427] = b"e0", b"\x14"
    bad.write_bytes(content)
    good.write_text("example_id,label\ntr3,pos\nx,pos\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"bad\.parquet") as raised:
        add_files_apart(path, [str(bad)])
    assert "\n" not in str(raised.value).strip()
    with pytest.raises(DataError, match=r"good\.csv: the file cannot be read: it is damaged, or takes more than 0 s or 8 GB"):
        add_files_apart(path, [str(good)], seconds=0)
    assert kept_opinions(path) == []
    expected = f"{str(good)!r}: 1 of 2 rows are about no training example, the first about 'x'; they are left out"
    assert add_files_apart(path, [str(good)]) == [expected]
    assert [one.name for one in kept_opinions(path)] == ["good"]


def test_what_annotators_said_is_kept_as_far_as_it_can_be(copied: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a build nothing is refused: a label that no majority chose, a name that changed its mind, one of two lines."""
    path = copied()
    monkeypatch.setattr("influence.opinion_files.rows.MOST_NAMES", 20)
    rows = [
        ("ann", "tr0", "pos", "2026-01-01"),
        ("ann", "tr0", "neg", "2026-01-02"),
        ("ann", "tr1", "sarcasm", None),
        ("ann", "gone", "pos", None),
        ("two\nlines", "tr1", "pos", None),
        *((f"crowd {n:04}", "tr2", "pos", None) for n in range(20)),
    ]
    with opened(path) as workspace:
        with pytest.raises(DataError, match="1 row with a label that training does not have"):
            add_rows(workspace, rows, source="tasks.json")
        assert kept_opinions(path) == []
        assert add_rows(workspace, [("ann", "tr1", "sarcasm", None)], source="tasks.json", drop_unusable=True) == [
            "'sarcasm' is no label of training: what said it is left out (1)"
        ]
        assert kept_opinions(path) == []
        notes = add_rows(workspace, rows, source="tasks.json", drop_unusable=True)
        assert notes[1:] == ["22 names gave labels; the 20 that gave most are kept as opinions"]
        found = {one.name: (one.positions_S.tolist(), one.said_S.tolist()) for one in heard(workspace)}
        assert len(found) == 20
        assert (found["ann"], found["two lines"], found["crowd 0000"]) == (([0], [0]), ([1], [1]), ([2], [1]))
