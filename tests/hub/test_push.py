"""Corrected data on a Hub of the tests' own: what arrives, byte for byte, and one line for whatever can go wrong."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hub_server
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tiny
import yaml
from hub_server import TOKEN, Hub, Repository
from reviewing import ROOT, ROWS, make_workspace, reviews_at

from influence.cli import main
from influence.fixes import read_fixes
from influence.review.events import Evidence, Reviewer

ANN, BOB = Reviewer(name="Ann Secret"), Reviewer(name="Bob Hidden")
CORRECTED = [["e0", ROWS[0][1], "Sport"], *map(list, ROWS[2:])]
TESTS = [("t0", "a late goal", "Sport"), ("t1", "shares rise", "Business")]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_place(folder: Path) -> Path:
    """A workspace `ws` of train.csv and test.csv, with a relabelling, a removal, a keep and a disagreement."""
    train, test = (tiny.write_csv(folder / f"{split}.csv", rows) for split, rows in (("train", ROWS), ("test", TESTS)))
    hashes = [sha256(Path(file).read_bytes()) for file in (train, test)]
    reviews = reviews_at(make_workspace(folder / "ws", source=train, sha256=hashes[0], test=(test, hashes[1])))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.add_note(ANN, "e0", "as Bob Hidden told me")
    reviews.decide(ANN, "e1", "remove")
    reviews.decide(BOB, "e3", "keep")
    reviews.decide(ANN, "e2", "keep")
    reviews.decide(BOB, "e2", "remove")
    reviews.close()
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests that only read it; see `make_place`."""
    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub with an empty repository me/reviews, at which huggingface_hub looks."""
    from huggingface_hub import constants

    before = constants.ENDPOINT
    made = Hub()
    made.repositories["me/reviews"] = Repository()
    with hub_server.serving(made) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(before, address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield made


def said(capsys: pytest.CaptureFixture[str], place: Path, *options: str) -> tuple[int, str, list[str]]:
    """Exit code, stdout and the lines of stderr of a push of the workspace."""
    repo = () if "--repo" in options else ("--repo", "me/reviews")
    code = main(["push", "--workspace", str(place / "ws"), *repo, *options])
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


def rows(content: bytes) -> list[list[str]]:
    return pd.read_parquet(io.BytesIO(content)).to_numpy().tolist()


def test_what_a_dry_run_promises_is_what_arrives_in_one_commit(place: Path, hub: Hub, capsys) -> None:
    """The push in a process of its own, as it is done."""
    code, out, _ = said(capsys, place, "--dry-run", "--json")
    assert (code, hub.requests) == (0, [])
    promised = json.loads(out)
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "influence", "push", "--workspace", str(place / "ws"), "--repo", "me/reviews", "--json"]
    made = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=True)
    assert TOKEN not in made.stdout + made.stderr
    pushed = json.loads(made.stdout)
    repository = hub.repositories["me/reviews"]
    assert repository.files("main") == {}
    arrived = repository.files("refs/pr/1")
    assert [*arrived] == ["README.md", "data/train.parquet", "data/test.parquet", "fixes.parquet"]
    files = [{"path": path, "bytes": len(data), "sha256": sha256(data)} for path, data in arrived.items()]
    assert promised["files"] == pushed["files"] == files
    assert promised["card"] == pushed["card"] == arrived["README.md"].decode()
    url = f"{hub.address}/datasets/me/reviews"
    assert promised["dry_run"]
    assert promised["changed"] is promised["commit_url"] is promised["pull_request_url"] is None
    assert pushed | {"files": [], "card": ""} == {
        "repo": "me/reviews",
        "branch": None,
        "message": "Correct the training data: 1 relabel, 1 remove",
        "counts": {"relabel": 1, "remove": 1, "mask": 0, "keep": 1},
        "files": [],
        "card": "",
        "dry_run": False,
        "changed": True,
        "commit_url": f"{url}/commit/{2:040x}",
        "pull_request_url": f"{url}/discussions/1",
    }
    header = {"summary": "Correct the training data: 1 relabel, 1 remove", "description": "", "parentCommit": f"{1:040x}"}
    assert repository.headers == [{**header, "to": "refs/pr/1"}]


def test_what_is_in_the_files(place: Path, hub: Hub, tmp_path: Path, capsys) -> None:
    code, out, err = said(capsys, place)
    files = hub.repositories["me/reviews"].files("refs/pr/1")
    assert (code, err) == (0, ["note: examples left out, as their reviewers disagree: 1"])
    assert out.splitlines()[0] == "me/reviews, a pull request: uploaded: 1 relabel, 1 remove, 0 mask, 1 keep"
    assert out.splitlines()[-1] == f"{hub.address}/datasets/me/reviews/discussions/1"
    assert rows(files["data/train.parquet"]) == CORRECTED
    assert rows(files["data/test.parquet"]) == [list(row) for row in TESTS]
    (tmp_path / "fixes.parquet").write_bytes(files["fixes.parquet"])
    fixes = read_fixes(tmp_path / "fixes.parquet")
    assert [(f.example_id, f.action, f.new_label, f.reviewer, f.reason) for f in fixes] == [
        ("e0", "relabel", "Sport", "", ""),
        ("e1", "remove", None, "", ""),
        ("e3", "keep", None, "", ""),
    ]
    for content in (*files.values(), *(pq.read_table(io.BytesIO(files["fixes.parquet"])).to_pandas().to_csv().encode(),)):
        for private in (b"Secret", b"Hidden", str(place).encode(), TOKEN.encode()):
            assert private not in content


def test_the_card(place: Path, hub: Hub, capsys) -> None:
    said(capsys, place)
    assert (
        hub.repositories["me/reviews"].files("refs/pr/1")["README.md"].decode()
        == """\
---
task_categories:
- text-classification
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.parquet
  - split: test
    path: data/test.parquet
dataset_info:
  features:
  - name: id
    dtype: string
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': Business
          '1': Sport
          '2': World
---

# reviews

<!-- wordtrace:corrections: the next push writes this section anew -->
## Corrections to the training data

Of 8 examples 2 were changed: 1 relabel, 1 remove, 0 mask. 7 are left.

| label | before | after | change |
|---|---:|---:|---:|
| Business | 3 | 3 | +0 |
| Sport | 2 | 3 | +1 |
| World | 3 | 1 | -2 |

- Examples judged and kept as they were: 1.
- Examples on which the reviewers disagreed: 1; 0 settled by what more than half of the reviewers said, 1 left as they were.
- The changed examples were found by: chosen by the reviewers (2).
- Judged by 2 reviewers, whose names are not given.
- `data/train.parquet` is the corrected training data.
- `data/test.parquet` is the test data, unchanged.
- `fixes.parquet` lists what was decided: a row a decision, with the text and the label before it.

<!-- /wordtrace:corrections -->
"""
    )


def test_the_hubs_own_library_loads_it_with_classes(place: Path, hub: Hub, tmp_path: Path, capsys) -> None:
    from datasets import ClassLabel, load_dataset

    said(capsys, place)
    for name, content in hub.repositories["me/reviews"].files("refs/pr/1").items():
        file = tmp_path / "clone" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    loaded = load_dataset(str(tmp_path / "clone"), cache_dir=str(tmp_path / "cache"))
    assert {split: found.num_rows for split, found in loaded.items()} == {"train": 7, "test": 2}
    label = loaded["train"].features["label"]
    assert label == ClassLabel(names=["Business", "Sport", "World"])
    assert label.int2str(loaded["train"]["label"][:]) == [row[-1] for row in CORRECTED]
    assert loaded["test"].features == loaded["train"].features


def test_names_and_notes_where_they_are_asked_for(place: Path, hub: Hub, tmp_path: Path, capsys) -> None:
    said(capsys, place, "--reviewers", "--branch", "named", "--policy", "latest")
    files = hub.repositories["me/reviews"].files("named")
    assert "- Judged by 2 reviewers: Ann Secret, Bob Hidden." in files["README.md"].decode().splitlines()
    (tmp_path / "fixes.parquet").write_bytes(files["fixes.parquet"])
    assert [(f.example_id, f.reviewer, f.reason) for f in read_fixes(tmp_path / "fixes.parquet")] == [
        ("e0", "Ann Secret", "as Bob Hidden told me"),
        ("e1", "Ann Secret", ""),
        ("e2", "Bob Hidden", "latest of 2 reviewers"),
        ("e3", "Bob Hidden", ""),
    ]


def test_reasons_go_along_but_for_those_that_name_somebody(tmp_path: Path, hub: Hub, capsys) -> None:
    rows_of = [(f"e{n}", text, "Sport") for n, text in enumerate(("a goal", "shares rise", "the cup", "profits"))]
    rows_of.append(("e4", "a war", "Business"))
    workspace = make_workspace(tmp_path / "ws", rows_of, labels=("Business", "Sport"), source="gone.csv", sha256="")
    plain = "labelled Sport, 3 of 4 opinions say Business; misclassified after 2 of 5 epochs of training"
    named = "labelled Sport, 3 of 4 opinions say Business; secret@ours.test: Business 0.90"
    reviews = reviews_at(workspace)
    for id, reason in (("e1", plain), ("e3", named)):
        reviews.decide(ANN, id, "relabel", new_label="Business", evidence=Evidence(details={"reason": reason}))
    reviews.close()
    assert said(capsys, tmp_path)[0] == 0
    files = hub.repositories["me/reviews"].files("refs/pr/1")
    (tmp_path / "fixes.parquet").write_bytes(files["fixes.parquet"])
    assert [(f.example_id, f.reason) for f in read_fixes(tmp_path / "fixes.parquet")] == [("e1", plain), ("e3", "")]


def test_in_the_form_of_the_file(place: Path, hub: Hub, capsys) -> None:
    """Bytes of rows that no fix changes, and of the test part, as they were; no columns in the card, which no CSV has."""
    said(capsys, place, "--path", "train.csv", "--branch", "main")
    files = hub.repositories["me/reviews"].files("main")
    before = (place / "train.csv").read_bytes().splitlines(keepends=True)
    changed = before[1].replace(b"World", b"Sport")
    assert files["train.csv"] == b"".join([before[0], changed, *before[3:]])
    assert files["test.csv"] == (place / "test.csv").read_bytes()
    card = files["README.md"].decode()
    assert "dataset_info" not in card
    assert "  - split: train\n    path: train.csv\n  - split: test\n    path: test.csv\n" in card


def test_a_branch_is_begun_and_gone_on_with(place: Path, hub: Hub, capsys) -> None:
    repository = hub.repositories["me/reviews"] = Repository({"LICENSE": b"theirs"})
    _, out, err = said(capsys, place, "--branch", "fixed/one", "--message", "First\n\nand why")
    assert err[1:] == ["note: branch 'fixed/one' was begun from main"]
    assert out.splitlines()[-1] == f"{hub.address}/datasets/me/reviews/commit/{2:040x}"
    _, _, err = said(capsys, place, "--branch", "fixed/one", "--policy", "latest")
    assert err[1:] == ["note: branch 'fixed/one' was there and has one commit more"]
    assert [(one["to"], one["summary"], one["description"]) for one in repository.headers] == [
        ("fixed/one", "First", "and why"),
        ("fixed/one", "Correct the training data: 1 relabel, 2 remove", ""),
    ]
    assert repository.files("main") == {"LICENSE": b"theirs"}
    files = repository.files("fixed/one")
    assert files["LICENSE"] == b"theirs"
    assert len(rows(files["data/train.parquet"])) == 6
    assert files["README.md"].decode().count("## Corrections") == 1


def test_a_private_repository_is_made_and_a_public_one_refused(place: Path, hub: Hub, capsys) -> None:
    code, _, err = said(capsys, place, "--repo", "me/new", "--private")
    assert (code, err[1:]) == (0, ["note: me/new was made, private"])
    assert hub.repositories["me/new"].private
    code, _, err = said(capsys, place, "--private")
    line = "wordtrace: --private, but 'me/reviews' is public: make it private on the Hub, or leave --private out"
    assert (code, err[1:]) == (2, [line])
    assert hub.repositories["me/reviews"].headers == []


def test_an_existing_card_keeps_all_else(place: Path, hub: Hub, capsys) -> None:
    theirs = (
        "---\nlicense: mit  # as agreed\nlanguage:\n- en\n---\n# Reviews\n\nWritten by hand.\n\n"
        "<!-- wordtrace:corrections: old -->\nold\n<!-- /wordtrace:corrections -->\n\n## Thanks\n"
    )
    repository = hub.repositories["me/reviews"] = Repository({"README.md": theirs.encode(), "old.csv": b"text,label\n"})
    _, _, err = said(capsys, place, "--branch", "main")
    card = repository.files("main")["README.md"].decode()
    assert card.startswith("---\nlicense: mit  # as agreed\nlanguage:\n- en\ntask_categories:\n- text-classification\nconfigs:\n")
    assert "\n---\n# Reviews\n\nWritten by hand.\n\n<!-- wordtrace:corrections: the next" in card
    assert card.endswith("<!-- /wordtrace:corrections -->\n\n## Thanks\n")
    assert "\nold\n" not in card
    line = "note: the card names what was uploaded as the data; other data files of the repository stay as they are: old.csv"
    assert err[1:] == [line]


def test_the_workspaces_copy_where_the_file_has_changed(tmp_path: Path, hub: Hub, capsys) -> None:
    place = make_place(tmp_path)
    (place / "train.csv").write_text("another,file\n1,2\n")
    _, _, err = said(capsys, place, "--branch", "main")
    assert err[1].startswith("note: the training data is the workspace's copy (id, text, label")
    assert rows(hub.repositories["me/reviews"].files("main")["data/train.parquet"]) == CORRECTED
    tiny.write_csv(place / "again.csv", [(*row, "x") for row in ROWS], ("id", "text", "label", "more"))
    said(capsys, place, "--branch", "main", "--train", str(place / "again.csv"))
    files = hub.repositories["me/reviews"].files("main")
    assert rows(files["data/train.parquet"]) == [[*row, "x"] for row in CORRECTED]


def test_class_numbers_of_a_hubs_file_stay_numbers_with_their_names(tmp_path: Path, hub: Hub, capsys) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    columns = Features(
        {"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=["World", "Sport", "Business"])}
    )
    made = {"id": [row[0] for row in ROWS], "text": [row[1] for row in ROWS], "label": [row[2] for row in ROWS]}
    Dataset.from_dict(made, features=columns).to_parquet(str(tmp_path / "train.parquet"))
    hash = sha256((tmp_path / "train.parquet").read_bytes())
    reviews = reviews_at(make_workspace(tmp_path / "ws", source=str(tmp_path / "train.parquet"), sha256=hash))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport")
    reviews.decide(ANN, "e1", "remove")
    reviews.close()
    said(capsys, tmp_path)
    files = hub.repositories["me/reviews"].files("refs/pr/1")
    table = pq.read_table(io.BytesIO(files["data/train.parquet"]))
    assert table.column("label").to_pylist() == [["World", "Sport", "Business"].index(row[-1]) for row in CORRECTED]
    card = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert Features._from_yaml_list(card["dataset_info"]["features"]) == columns
    assert Features.from_arrow_schema(table.schema) == columns
    assert "- Judged by one reviewer, whose name is not given." in files["README.md"].decode().splitlines()


def task(id: int, text: str, *labels: str) -> dict:
    """Of Label Studio, with an annotation a label by a person each."""
    result = [[{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [one]}}] for one in labels]
    made = [{"id": n, "completed_by": {"email": f"secret{n}@ours.test"}, "result": one} for n, one in enumerate(result)]
    return {"id": id, "data": {"text": text, "who": "Secret"}, "annotations": made, "predictions": []}


def test_of_an_annotation_tools_file_nobody_is_named(tmp_path: Path, hub: Hub, capsys) -> None:
    tasks = [task(1, "a late goal", "Business"), task(2, "shares rise", "Business"), task(3, "who", "Sport", "Business")]
    tasks.append(task(4, "the cup", "Sport"))
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    rows_of = [("1", "a late goal", "Business"), ("2", "shares rise", "Business"), ("4", "the cup", "Sport")]
    hash = sha256((tmp_path / "tasks.json").read_bytes())
    source = str(tmp_path / "tasks.json")
    workspace = make_workspace(tmp_path / "ws", rows_of, labels=("Business", "Sport"), source=source, sha256=hash)
    reviews = reviews_at(workspace)
    reviews.decide(ANN, "1", "relabel", new_label="Sport")
    reviews.close()
    code, _, err = said(capsys, tmp_path)
    files = hub.repositories["me/reviews"].files("refs/pr/1")
    assert (code, err[-1]) == (0, "note: of an annotation tool's file ids, texts and labels are uploaded, and not who said what")
    table = pq.read_table(io.BytesIO(files["data/train.parquet"])).to_pydict()
    assert table == {
        "id": [1, 2, 3, 4],
        "text": ["a late goal", "shares rise", "who", "the cup"],
        "label": ["Sport", "Business", None, "Sport"],
    }
    assert "'0': Business\n          '1': Sport\n---" in files["README.md"].decode()
    assert [name for name, content in files.items() if b"ecret" in content] == []
    code, _, err = said(capsys, tmp_path, "--path", "tasks.json")
    line = "--path 'tasks.json': a file of Label Studio says who annotated what; name it .parquet, for texts and labels alone"
    assert (code, err) == (2, [f"wordtrace: {line}"])


REFUSED = "the Hugging Face Hub does not accept the token (401): log in again with `hf auth login`, or set HF_TOKEN"
RIGHTS = "it needs write access to 'me/reviews', or for a pull request that these are open there"


@pytest.mark.parametrize(
    ("trouble", "options", "line"),
    [
        ({"token": "other"}, (), f"{REFUSED} (the Hub says: Invalid credentials in Authorization header)"),
        (
            {"may_write": False},
            (),
            f"the token has not the right to do that (403): {RIGHTS} "
            "(the Hub says: You have read access but not the required permissions)",
        ),
        (
            {},
            ("--repo", "me/gone"),
            "there is no data set 'me/gone' on the Hub that this token can see (404): make it there, or with --private here "
            "(the Hub says: Repository not found)",
        ),
        (
            {"moves_on": True},
            ("--branch", "main"),
            "branch 'main' of 'me/reviews' has changed meanwhile (412): push again (the Hub says: A commit has happened since)",
        ),
    ],
)
def test_what_the_hub_refuses(place: Path, hub: Hub, capsys, trouble, options, line: str) -> None:
    vars(hub).update(trouble)
    code, out, err = said(capsys, place, *options)
    assert (code, out, err[1:]) == (2, "", [f"wordtrace: {line}"])
    assert hub.repositories["me/reviews"].headers == []


@pytest.mark.parametrize("where", ["/me/reviews", "/commit/"])
def test_a_connection_that_breaks_off(place: Path, hub: Hub, capsys, where: str) -> None:
    hub.drop_at = where
    code, out, err = said(capsys, place)
    why = "RemoteProtocolError: Server disconnected without sending a response."
    line = f"wordtrace: the Hugging Face Hub cannot be reached at {hub.address}, or broke off ({why})"
    assert (code, out, err[1:]) == (2, "", [line])


def test_no_network(place: Path, hub: Hub, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    code, out, err = said(capsys, place)
    assert (code, out, len(err)) == (2, "", 2)
    assert err[1].startswith(
        "wordtrace: the Hugging Face Hub cannot be reached at http://127.0.0.1:9, or broke off (ConnectError"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert said(capsys, place)[2][1:] == ["wordtrace: HF_HUB_OFFLINE is set, and a push needs the network: unset it"]


def test_no_token(place: Path, hub: Hub, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    line = "wordtrace: there is no token for the Hugging Face Hub: log in with `hf auth login`, or set HF_TOKEN"
    assert said(capsys, place)[::2] == (2, ["note: examples left out, as their reviewers disagree: 1", line])
    assert hub.requests == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--repo", "reviews"), "--repo 'reviews' is no repository of the Hub: give OWNER/NAME, each of"),
        (("--repo", "me/a/b"), "--repo 'me/a/b' is no repository of the Hub: give OWNER/NAME, each of"),
        (("--repo", "me/a--b"), "--repo 'me/a--b' is no repository of the Hub: give OWNER/NAME, each of"),
        (("--branch", "refs/pr/1"), "--branch 'refs/pr/1' is no name of a branch: give one such as corrections"),
        (("--branch", "a b"), "--branch 'a b' is no name of a branch: give one such as corrections"),
        (("--path", "../train.csv"), "--path '../train.csv': give a file in the repository, such as data/train.parquet"),
        (("--path", "README.md"), "--path 'README.md': give a file in the repository, such as data/train.parquet"),
        (("--path", "test.csv"), "--path 'test.csv' is what the test part would be called; give one such as data/train.parquet"),
        (
            ("--path", "x/train.json"),
            "--path 'x/train.json': the training data cannot go there in that form; name it .parquet or .csv",
        ),
        (("--message", " "), "--message is empty: say what the commit does, or leave it out"),
        (("--reviewer", "Eve"), "--reviewer 'Eve' has decided nothing; those who have: Ann Secret, Bob Hidden"),
        (("--reviewer", "Bob Hidden", "--train", "nowhere.csv"), "'nowhere.csv': there is no such file or folder"),
    ],
)
def test_options_that_cannot_be(place: Path, hub: Hub, capsys, options, line: str) -> None:
    code, out, err = said(capsys, place, *options)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith(f"wordtrace: {line}")
    assert hub.requests == []


def test_nothing_decided(tmp_path: Path, hub: Hub, capsys) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws"))
    reviews.decide(ANN, "e0", "keep")
    reviews.close()
    line = "workspace 'ws': nothing that has been decided changes the data: relabel, remove or mask something first"
    assert said(capsys, tmp_path) == (2, "", [f"wordtrace: {line}"])
    assert hub.requests == []
