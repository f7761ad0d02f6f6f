"""From a file that a build has to mend, in a form of its own, to decisions and back into that very file."""

import io
import json
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from influence import open_workspace
from influence.cli import main
from influence.review.events import Reviewer
from influence.review.reviews import open_reviews

ROWS = [
    (f"a {('good', 'bad')[n % 2]} film; number {n} – schön", ("pos", "neg")[n % 2] if n % 5 else ("Pos", "neg\xa0")[n % 2])
    for n in range(30)
]


@pytest.mark.slow
def test_a_file_that_a_build_has_to_mend_is_corrected_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f'"{text}";{label}\r\n' for text, label in ROWS]
    lines[3] = "no label;\r\n"
    lines[7] = "one;field;too many\r\n"
    lines[8] = '"=1+1 a good film";pos\r\n'
    content = "text ;label\r\n" + "".join(lines)
    file = tmp_path / "mine.csv"
    file.write_bytes(content.encode("windows-1252"))
    arguments = ["build", "--train", str(file), "--workspace", str(tmp_path / "made" / "w"), "--model", "cnn", "--epochs", "1"]
    for refused, said in (
        ([], "is not UTF-8 text. It may be windows-1252: line 2: "),
        (
            ["--encoding", "windows-1252"],
            "1 row of 30 without a label in column 'label' (row 5); 1 row of 30 that cannot be",
        ),
        (["--encoding", "windows-1252", "--drop-unusable", "--label", "none"], "--label 'none': "),
        (["--encoding", "windows-1252", "--drop-unusable", "--model", str(tmp_path)], "is not a model folder"),
    ):
        assert main([*arguments, "--encoder", "none", *refused]) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mine.csv"]
    mended = ["--encoding", "windows-1252", "--drop-unusable", "--merge-labels", "--encoder", "none"]
    assert main([*arguments, *mended]) == 0
    err = capsys.readouterr().err
    assert f"{str(file)!r} is read as text with semicolons, Windows-1252" in err
    assert "(row 9; line 9: 3 fields where the header has 2)" in err
    workspace = open_workspace(tmp_path / "made" / "w")
    assert (workspace.info.train_source, workspace.info.labels) == (str(file), ["neg", "pos"])
    ids = workspace.train_ids()
    assert not {"3", "7"} & set(ids)
    relabelled = max((id for id in ids if ROWS[int(id)][1] == "Pos"), key=int)  # behind row 7, which is taken away below
    removed = max((id for id in ids if ROWS[int(id)][1] == "neg\xa0"), key=int)
    with_reviews = open_reviews(workspace)
    with_reviews.decide(Reviewer(name="Ann"), relabelled, "relabel", new_label="neg")
    with_reviews.decide(Reviewer(name="Ann"), removed, "remove")
    with_reviews.close()
    workspace.close()
    assert main(["export", "--workspace", str(tmp_path / "made" / "w"), "--output", str(tmp_path / "fixes.zip")]) == 0
    text = ROWS[int(relabelled)][0]
    wanted = content.replace(f'"{text}";Pos\r\n', f'"{text}";neg\r\n').replace(lines[int(removed)], "")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "fixes.zip").read_bytes())) as bundle:
        assert bundle.read("corrected.csv") == wanted.encode("windows-1252")
        assert "corrected.parquet" not in bundle.namelist()  # a row that cannot be read would be lost
        assert "1 row has a cell that a spreadsheet may take for a formula" in bundle.read("report.md").decode().replace("\\", "")
        command = json.loads(bundle.read("manifest.json"))["command"]
        (tmp_path / "fixes.jsonl").write_bytes(bundle.read("fixes.jsonl"))
    assert "--encoding windows-1252" in command
    capsys.readouterr()
    apply = ["apply", "--fixes", str(tmp_path / "fixes.jsonl"), "--train", str(file), "--encoding", "windows-1252", "--output"]
    assert main([*apply, str(tmp_path / "out.csv")]) == 0
    assert "1 row has a cell that a spreadsheet may take for a formula: it stays as it was" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_bytes() == wanted.encode("windows-1252")
    file.write_bytes(content.replace(lines[7], "").encode("windows-1252"))
    assert main([*apply, str(tmp_path / "out.parquet")]) == 2  # ids are row numbers, and one row less is another file
    assert "has another text for" in capsys.readouterr().err
    file.write_bytes(content.replace(lines[7], "one;pos\r\n").encode("windows-1252"))
    assert main([*apply, str(tmp_path / "out.parquet")]) == 0
    assert "spreadsheet" not in capsys.readouterr().err  # none runs what Parquet holds
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 29
