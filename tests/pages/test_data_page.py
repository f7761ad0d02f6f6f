"""The Data page without a browser: paths, uploads, columns, runs that fail, workspaces that are handled whole."""

import json
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import IMAGE, SCRIPT, parameters_of, shown

import influence
from influence.review.log import close_log
from influence.workspace import back_up, build_lock
from pages.ui.data import address, files, orders, stored
from pages.ui.data.address import DataAddress
from pages.ui.frame import state
from pages.ui.jobs import STOPPED, background, builds, processes

PAGE = "data_and_runs"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty root with a small file in its data folder."""
    folder = tmp_path / "root"
    (folder / "data" / "sub").mkdir(parents=True)
    lines = [f'"a {("good", "bad")[n % 2]} film, number {n}",{("pos", "neg")[n % 2]}' for n in range(40)]
    (folder / "data" / "sub" / "small.csv").write_text("\n".join(["comment,mood", *lines]), encoding="utf-8")
    (tmp_path / "secret.csv").write_text("text,label\na,b\n", encoding="utf-8")
    (folder / "data" / "out.csv").symlink_to(tmp_path / "secret.csv")
    monkeypatch.setenv("WORDTRACE_WORKSPACES", str(folder))
    return folder


@pytest.fixture
def small() -> DataAddress:
    return DataAddress(train="sub/small.csv", text="comment", label="mood", name="mine", model="cnn", epochs=1)


COLUMNS = {"text": "comment", "text_pair": None, "label": "mood", "id": None}


def within(check: Callable[[], object], seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.05)


def is_free(workspace: Path) -> bool:
    """Whether nobody builds there."""
    try:
        with build_lock(workspace):
            return True
    except influence.WorkspaceError:
        return False


def page_text(app) -> str:
    return "\n".join(part for part in shown(app).splitlines() if not part.startswith((".wt-", "ul.", "ol.")))


# Files and names ---------------------------------------------------------------------------------------------------------


def test_only_files_under_the_data_folder_are_listed(root):
    assert list(files.listing()) == ["sub/small.csv"]


def test_the_folder_of_a_data_set_is_listed_as_one(root):
    """As Argilla and `save_to_disk` write them: every split, and all of them, by the folder's name."""
    from datasets import Dataset, DatasetDict

    made = Dataset.from_dict({"text": ["a", "b"], "label": ["x", "y"]})
    DatasetDict(train=made, test=made).save_to_disk(str(root / "data" / "reviews"))
    assert sorted(files.listing()) == ["reviews", "reviews/test", "reviews/train", "sub/small.csv"]
    assert files.listing()["reviews"].size == 2 * files.listing()["reviews/test"].size > 0
    assert DataAddress(train="reviews", text="text", label="label").data_options()[:2] == [
        "--train", str((root / "data" / "reviews").resolve()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../secret.csv", "/etc/passwd", "out.csv", "sub/../sub/small.csv", "nope.csv", SCRIPT, "a\0.csv"]
)
def test_no_path_from_an_address_is_opened(open_page, root, name):
    app = open_page(PAGE, root=root, train=name)
    assert not app.exception
    assert "fits nothing in this workspace" in page_text(app)
    assert not state.place_of(root, among=root).exists()
    with pytest.raises(influence.WordtraceError):
        DataAddress(train=name, text="a", label="b").data_options()


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc",
        "a/b/c",
        "..",
        "owner/../x",
        "https://h.example/x",
        "file.csv",
        "a b",
        "x" * 300,
        "s3://bucket/a",
        "file:///etc",
        "a*",
    ],
)
def test_no_path_passes_for_a_hub_id(open_page, root, name):
    assert not address.is_hub_id(name)
    app = open_page(PAGE, root=root, source="hub", train=name)
    assert not app.exception
    assert not state.place_of(root, among=root).exists()


@pytest.mark.parametrize("weights", ["../x", "/etc", "a/b/c", "..", "sub", "", "--model"])
@pytest.mark.parametrize("kind", ["hub", "folder"])
def test_no_path_passes_for_a_model(root, kind, weights, monkeypatch):
    monkeypatch.chdir(root / "data")
    with pytest.raises(influence.WordtraceError):
        DataAddress(model=kind, weights=weights).model_options()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"\x7fELF\0\0", "is a program"),
        ("a.csv", b"PK\3\4", "is a zip archive, or a workbook"),
        ("a.parquet", b"text,label\n", "not a Parquet file"),
        ("a.exe", b"x", "not a data file"),
        ("a.csv", b"", "is empty"),
    ],
)
def test_uploads_that_are_refused(root, name, content, said):
    with pytest.raises(influence.DataError, match=said):
        files.keep_upload(name, content)
    assert list(files.listing()) == ["sub/small.csv"]


def test_an_upload_that_is_too_large(root, monkeypatch):
    monkeypatch.setattr(files, "UPLOAD_LIMIT", 0.001)
    with pytest.raises(influence.DataError, match=r"larger than 0\.001 MB; whoever runs the server can"):
        files.keep_upload("a.csv", b"x" * 2000)


def test_a_name_from_a_browser_is_made_harmless(root):
    kept = files.keep_upload("../../<b>Ünser Text</b>.csv", b"text,label\n")
    assert re.fullmatch(r"uploads/\d{8}-\d{12}-b\.csv", kept)
    assert files.plain_name(kept.rpartition("/")[2]) == "b"
    assert (root / "data" / kept).read_bytes() == b"text,label\n"


def test_an_upload_is_kept_once(root):
    first = files.keep_upload("my data.csv.gz", b"\x1f\x8b...")
    assert re.fullmatch(r"uploads/\d{8}-\d{12}-my_data\.csv\.gz", first)
    assert files.plain_name(first) == "my_data"
    assert files.keep_upload("my data.csv.gz", b"\x1f\x8b...") == first
    others = {files.keep_upload("my data.csv.gz", b"\x1f\x8b,,,"), files.keep_upload("your data.csv.gz", b"\x1f\x8b...")}
    assert len({first, *others}) == 3


def test_the_limit_is_the_server_s(root):
    configuration = (Path(files.__file__).parents[3] / ".streamlit" / "config.toml").read_text("utf-8")
    assert f"maxUploadSize = {files.UPLOAD_LIMIT}\n" in configuration


# The report on the page --------------------------------------------------------------------------------------------------


def test_from_an_upload_to_columns_of_ones_own(open_page, root):
    app = open_page(PAGE, root=root)
    content = "".join(f'"{SCRIPT} number {n}",{IMAGE if n % 2 else "b"},{n}\n' for n in range(20))
    app.file_uploader[0].upload("mine.csv", f"words,kind,zz\n{content}".encode(), "text/csv").run()
    assert not app.exception
    name = parameters_of(app)["train"]
    assert name.startswith("uploads/")
    within(lambda: orders.asked(DataAddress(train=name).stamp(DataAddress(train=name).data_options())) is None)
    app.run()
    assert not app.exception
    text = page_text(app)
    assert "20" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text or "![m]" in text
    assert [box.value for box in app.selectbox if box.key.startswith("data_column")] == ["words", "", "kind", ""]
    app.selectbox(key="data_column_id").select("zz").run()
    found = parameters_of(app)
    assert (found["text"], found["label"], found["id"]) == ("words", "kind", "zz")
    place = DataAddress(train=name, text="words", label="kind", id="zz")
    within(lambda: orders.asked(place.stamp(place.data_options())) is None)
    app.run()
    assert orders.answer(place.stamp(place.data_options()))["columns"]["id"] == "zz"
    assert app.button(key="data_start").disabled is False


def test_a_number_typed_just_before_the_start_counts(open_page, root, small, monkeypatch):
    place = small.at(name="", epochs=0)
    key = place.stamp(place.data_options())
    open_page(PAGE, root=root, **place.parameters())
    within(lambda: orders.asked(key) is None)
    app = open_page(PAGE, root=root, **place.parameters())
    started = []
    monkeypatch.setattr(orders, "start", lambda place, *_: started.append(place) or place.name)
    app.number_input(key="data_epochs").set_value(3)
    app.checkbox(key="data_freeze").check()
    app.selectbox(key="data_decay").select("0.01")
    app.button(key="data_start").click()
    app.run()
    assert [(one.epochs, one.freeze, one.name, one.data()) for one in started] == [(3, 1, "small", place.data())]
    assert orders.command(started[0], root / "small").count("--freeze-embedding") == 1
    assert "--weight-decay 0.01 --freeze-embedding" in " ".join(orders.command(started[0], root / "small"))
    assert "--freeze-embedding" not in orders.command(place, root / "small")


def test_a_column_changed_just_before_the_start_asks_for_a_look(open_page, root, small):
    place = small.at(name="", epochs=0)
    key = place.stamp(place.data_options())
    open_page(PAGE, root=root, **place.parameters())
    within(lambda: orders.asked(key) is None)
    app = open_page(PAGE, root=root, **place.parameters())
    app.selectbox(key="data_column_text").select("mood")
    app.selectbox(key="data_column_label").select("comment")
    app.button(key="data_start").click()
    app.run()
    assert "have just been changed" in page_text(app)
    assert not builds.runs()
    assert {name: parameters_of(app)[name] for name in ("text", "label")} == {"text": "mood", "label": "comment"}


def test_what_stops_a_build_leaves_no_button(open_page, root):
    (root / "data" / "one.csv").write_text("text,label\n" + "".join(f"text {n},same\n" for n in range(9)), encoding="utf-8")
    place = DataAddress(train="one.csv")
    open_page(PAGE, root=root, train="one.csv")
    within(lambda: orders.asked(place.stamp(place.data_options())) is None)
    app = open_page(PAGE, root=root, train="one.csv")
    assert not app.exception
    assert "Every row has the label" in page_text(app)
    assert not [button for button in app.button if button.key == "data_start"]


def test_a_file_that_cannot_be_read_is_asked_for_once(open_page, root):
    (root / "data" / "torn.csv").write_text('text,label\n"never closed,a\n', encoding="utf-8")
    place = DataAddress(train="torn.csv")
    key = place.stamp(place.data_options())
    open_page(PAGE, root=root, train="torn.csv")
    within(lambda: (job := orders.asked(key)) is not None and job.failed)
    job = orders.asked(key)
    for _ in range(2):
        app = open_page(PAGE, root=root, train="torn.csv")
        assert "line 2: malformed" in app.error[0].value.replace("\\", "")
    assert orders.asked(key).folder == job.folder


# Runs --------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_no_half_workspace(open_page, root, small, workspaces):
    shutil.copytree(workspaces / "tiny", root / "other")
    before = {file: file.stat().st_size for file in (root / "other").rglob("*") if file.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may be longer, which fails like a full disk does; what the job says has its room reserved.
    resource.setrlimit(resource.RLIMIT_FSIZE, (processes.SAID_BYTES, hard))
    try:
        orders.start(small, COLUMNS, None)
        within(lambda: builds.runs()[0].failed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (job,) = builds.runs()
    assert "disk full" in builds.complaint(job)
    assert not (root / "mine").exists()
    app = open_page(PAGE, root=root, part="runs")
    assert not app.exception
    assert "disk full" in app.error[0].value.replace("\\", "")
    assert before == {file: file.stat().st_size for file in (root / "other").rglob("*") if file.is_file()}
    app.button(key=f"run_discard_{job.folder.name}").click().run()
    assert builds.runs() == []


@pytest.mark.slow
def test_a_resumed_build_that_is_cancelled_while_it_waits_leaves_nothing(root, small, monkeypatch):
    orders.start(small.at(epochs=60), COLUMNS, None)
    within(lambda: list(root.glob("mine/builds/*/run/0/done.json")))
    os.killpg(int(processes.process(builds.runs()[0].folder)["pid"]), signal.SIGKILL)
    within(lambda: builds.runs()[0].failed)
    monkeypatch.setattr(background, "_pump", lambda queue: None)  # another build has the queue
    builds.resume(builds.runs()[0])
    (job,) = builds.runs()
    assert job.started_at is None
    within(lambda: is_free(root / "mine"))  # what was killed takes a moment to be gone
    job.cancel()
    assert not builds.runs()
    assert not (root / "mine").exists()


@pytest.mark.slow
def test_a_build_is_stopped_after_asking_and_what_is_finished_is_kept(open_page, root, small):
    orders.start(small.at(epochs=30), COLUMNS, None)
    within(lambda: list(root.glob("mine/builds/*/run/0/done.json")))
    app = open_page(PAGE, root=root, part="runs")
    (job,) = builds.runs()
    app.button(key=f"run_cancel_{job.folder.name}").click().run()
    assert "What is finished of it can be kept" in page_text(app)
    (job,) = builds.runs()
    assert not job.stopping  # nothing has happened yet
    app.button(key=f"run_stop_not_{job.folder.name}").click().run()
    app.button(key=f"run_cancel_{job.folder.name}").click().run()
    app.button(key=f"run_stop_keep_{job.folder.name}").click().run()
    within(lambda: builds.runs()[0].failed)
    (job,) = builds.runs()
    assert (job.code, job.stopping) == (STOPPED, False)
    finished = {file.parent.name for file in root.glob("mine/builds/*/run/*/done.json")}
    text = page_text(open_page(PAGE, root=root, part="runs"))
    assert "What was finished is kept: " in text
    assert "epoch 1" in text or "of its steps" in text
    monkeypatched = background._pump
    background._pump = lambda queue: None  # resumed, it waits for another build, and is cancelled before it starts
    try:
        builds.resume(job)
        (job,) = builds.runs()
        assert job.started_at is None
        job.cancel(keep=True)
    finally:
        background._pump = monkeypatched
    (job,) = builds.runs()
    assert job.code == STOPPED
    assert {file.parent.name for file in root.glob("mine/builds/*/run/*/done.json")} == finished
    app = open_page(PAGE, root=root, part="runs")
    app.button(key=f"run_discard_{job.folder.name}").click().run()
    assert not builds.runs()
    assert not (root / "mine").exists()


@pytest.mark.slow
def test_a_stopped_build_is_resumed_to_its_end(root, small):
    orders.start(small.at(epochs=8), COLUMNS, None)
    within(lambda: list(root.glob("mine/builds/*/run/0/done.json")))
    builds.runs()[0].cancel(keep=True)
    within(lambda: builds.runs()[0].failed)
    builds.resume(builds.runs()[0])
    within(lambda: not builds.runs())
    assert len(influence.open_workspace(root / "mine").info.epochs) == 8


def test_a_build_that_is_stopped_before_it_has_made_anything_leaves_nothing(root, small):
    orders.start(small, COLUMNS, None)
    builds.runs()[0].cancel(keep=True)
    within(lambda: not [job for job in builds.runs() if not job.failed])
    if builds.runs():
        builds.runs()[0].discard()
    assert not (root / "mine").exists()


@pytest.mark.slow
def test_an_interrupted_build_goes_on(open_page, root, small):
    orders.start(small.at(epochs=60), COLUMNS, None)
    within(lambda: list(root.glob("mine/builds/*/run/0/done.json")))
    (job,) = builds.runs()
    os.killpg(int(processes.process(job.folder)["pid"]), signal.SIGKILL)
    within(lambda: builds.runs()[0].failed)
    (job,) = builds.runs()
    assert "stopped from outside" in builds.complaint(job)
    assert list(root.glob("mine/builds/*/run/0/done.json"))
    app = open_page(PAGE, root=root, part="runs")
    assert not app.exception
    assert "was interrupted" in page_text(app)
    app.button(key=f"run_resume_{job.folder.name}").click().run()
    (job,) = builds.runs()
    assert not job.failed
    options = json.loads((job.folder / "job.json").read_text("utf-8"))["options"]
    assert options.count("--resume") == 1
    job.cancel()
    within(lambda: not builds.runs())
    within(lambda: not (root / "mine").exists())


@pytest.mark.slow
def test_a_model_that_is_not_there_is_one_line(open_page, root, small):
    orders.start(small.at(model="hub", weights="nobody/nothing"), COLUMNS, None)
    within(lambda: builds.runs()[0].failed)
    app = open_page(PAGE, root=root, part="runs")
    assert "cannot be loaded" in app.error[0].value.replace("\\", "")
    assert not (root / "mine").exists()
    (job,) = builds.runs()
    app.button(key=f"run_again_{job.folder.name}").click().run()
    assert parameters_of(app)["weights"] == "nobody/nothing"


def test_a_name_is_taken_while_its_build_waits(root, small):
    orders.start(small, COLUMNS, None)
    with pytest.raises(influence.SettingsError):
        orders.start(small, COLUMNS, None)
    for job in builds.runs():
        job.cancel()
    within(lambda: not builds.runs())


@pytest.mark.parametrize("name", ["../x", "", "data", "a/b"])
def test_no_build_under_a_name_that_cannot_be_had(root, small, name):
    with pytest.raises(influence.SettingsError):
        orders.start(small.at(name=name), COLUMNS, None)
    assert builds.runs() == []


# Whole workspaces --------------------------------------------------------------------------------------------------------


def test_deleting_asks_first_and_not_during_a_job(open_page, root, workspaces):
    from influence.workspace.builds import build_lock

    for name in ("one", "two"):
        shutil.copytree(workspaces / "tiny", root / name)
    app = open_page(PAGE, root=root, part="workspaces", workspace="one")
    app.button(key="ws_delete_two").click().run()
    assert influence.list_workspaces(root) == ["one", "two"]
    with build_lock(root / "two"):
        app.button(key="ws_delete_yes").click().run()
        assert "another process is building" in page_text(app)
    assert influence.list_workspaces(root) == ["one", "two"]
    app.button(key="ws_delete_two").click().run()
    app.button(key="ws_delete_yes").click().run()
    assert not app.exception
    assert influence.list_workspaces(root) == ["one"]
    assert "two has been deleted" in page_text(app)


def test_renaming_and_backing_up(open_page, root, workspaces):
    shutil.copytree(workspaces / "tiny", root / "one")
    app = open_page(PAGE, root=root, part="workspaces", workspace="one")
    app.button(key="ws_rename_one").click().run()
    app.text_input(key="ws_new_name_one").input("../evil")
    next(button for button in app.button if button.label == "Rename" and button.form_id).click().run()
    assert "Not renamed" in page_text(app)
    app.button(key="ws_rename_one").click().run()
    app.text_input(key="ws_new_name_one").input("fine")
    next(button for button in app.button if button.label == "Rename" and button.form_id).click().run()
    assert not app.exception
    assert influence.list_workspaces(root) == ["fine"]
    assert parameters_of(app)["workspace"] == "fine"
    app.button(key="ws_backup_fine").click().run()
    within(lambda: list(root.glob("backups/fine-*.zip")))
    app.run()
    assert "Latest backup: " in page_text(app)


def test_two_workspaces_side_by_side(open_page, root, workspaces, judged_workspaces):
    shutil.copytree(workspaces / "tiny", root / "one")
    shutil.copytree(judged_workspaces / "tiny", root / "two")
    app = open_page(PAGE, root=root, part="compare", one="one", two="two")
    assert not app.exception
    text = page_text(app)
    assert "100% / 100%" in text
    assert "not ranked in both" in text
    assert "the same, as far as was recorded" in text


def test_two_workspaces_of_other_test_texts_have_no_numbers_to_compare(open_page, root, workspaces, pair_workspaces):
    shutil.copytree(workspaces / "tiny", root / "one")
    shutil.copytree(pair_workspaces / "pairs", root / "two")
    text = page_text(open_page(PAGE, root=root, part="compare", one="one", two="two"))
    assert "have no test text in common" in text
    assert text.count("no test text in both") == 3
    assert "%" not in text.partition("What they were built from")[0].rpartition("in common")[2]


def test_the_page_opens_without_any_workspace_and_home_points_to_it(open_page, root):
    app = open_page(PAGE, root=root)
    assert not app.exception
    home = open_page("home", root=root)
    assert "Bring your own data" in page_text(home)
    for part in address.PARTS:
        assert not open_page(PAGE, root=root, part=part).exception


def test_the_reviews_of_a_renamed_workspace_are_not_another_s(root, workspaces):
    """A name that is given again must not meet what the server remembers of the one before."""
    from influence.review.events import Reviewer
    from influence.review.reviews import open_reviews
    from influence.workspace.manage import rename_workspace

    shutil.copytree(workspaces / "tiny", root / "one")
    opened = influence.open_workspace(root / "one")
    open_reviews(opened).decide(Reviewer(name="Ann"), opened.train_ids()[0], "remove")
    rename_workspace(root, "one", "two")
    shutil.copytree(workspaces / "tiny", root / "one")
    assert open_reviews(influence.open_workspace(root / "one")).decisions() == []
    assert len(open_reviews(influence.open_workspace(root / "two")).decisions()) == 1
    for name in ("one", "two"):
        close_log(root / name)


def test_an_encoding_is_chosen_by_what_the_lines_look_like(open_page, root):
    lines = "".join(f"schöne Gerüche {SCRIPT} {n};{'gut' if n % 2 else 'schlecht'}\n" for n in range(20))
    (root / "data" / "old.csv").write_bytes(f"text;label\n{lines}".encode("windows-1252"))
    place = DataAddress(train="old.csv")
    open_page(PAGE, root=root, train="old.csv")
    within(lambda: (job := orders.asked(place.stamp(place.data_options()))) is not None and job.failed)
    app = open_page(PAGE, root=root, train="old.csv")
    assert not app.exception
    assert app.radio(key="data_offered").value == "windows-1252"
    assert app.dataframe[0].value["reads"][0].startswith("schöne Gerüche")
    assert not [button for button in app.button if button.key == "data_start"]
    app.radio(key="data_offered").set_value("another").run()
    assert app.button(key="data_take_encoding").disabled
    app.radio(key="data_offered").set_value("windows-1252").run()
    app.button(key="data_take_encoding").click().run()
    assert parameters_of(app)["encoding"] == "windows-1252"
    place = DataAddress(train="old.csv", encoding="windows-1252")
    assert place.data_options()[-2:] == ["--encoding", "windows-1252"]
    within(lambda: orders.asked(place.stamp(place.data_options())) is None)
    app.run()
    assert not app.exception
    assert "Read as text with semicolons, Windows-1252." in page_text(app)
    assert app.button(key="data_start").disabled is False
    app.selectbox(key="data_delimiter").select(",").run()
    assert parameters_of(app)["delimiter"] == ","


# Files -------------------------------------------------------------------------------------------------------------------


def test_uploads_are_listed_with_size_and_day_and_removed_after_asking(open_page, root):
    name = files.keep_upload("mine.csv", b"text,label\na,b\n")
    outside = root / "data" / "servers.csv"
    outside.write_text("text,label\n")
    app = open_page(PAGE, root=root, part="files")
    text = page_text(app)
    assert "mine" in text
    assert "15 bytes" in text
    assert "servers" not in text  # a file of the server's own is no upload
    app.button(key="remove_upload_0").click().run()
    assert (files.folder() / name).exists()
    app.button(key="remove_upload_no").click().run()
    app.button(key="remove_upload_0").click().run()
    app.button(key="remove_upload_yes").click().run()
    assert "Removed: mine." in page_text(app)
    assert not (files.folder() / name).exists()
    assert outside.exists()


def test_a_backup_is_restored_from_the_page(open_page, root, workspaces):
    shutil.copytree(workspaces / "tiny", root / "tiny")
    back_up(root / "tiny", root / "backups" / "tiny-20261129T120000Z.zip")
    app = open_page(PAGE, root=root, part="files")
    assert "tiny-20261129T120000Z" in page_text(app)
    app.button(key="restore_0").click().run()
    assert not app.exception
    within(lambda: "tiny restored" in influence.list_workspaces(root))
    assert influence.open_workspace(root / "tiny restored").info == influence.open_workspace(root / "tiny").info
    app = open_page(PAGE, root=root, part="files")
    app.file_uploader(key="stored_backup").upload("bad.zip", b"no zip", "application/zip").run()
    within(lambda: any(job.failed for job in background.jobs_in(builds.folder_of(stored.RESTORES))))
    text = page_text(open_page(PAGE, root=root, part="files"))
    assert "is no backup of a workspace, or damaged" in text


def test_no_path_is_on_the_page(open_page, root, workspaces):
    shutil.copytree(workspaces / "tiny", root / "tiny")
    for part in address.PARTS:
        text = page_text(open_page(PAGE, root=root, part=part))
        assert str(root) not in text, part
        assert "python -m" not in text, part
