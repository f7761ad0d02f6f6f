"""Proof in a real browser: started, watched, left for another page, answered; and cancelled without a trace."""

import shutil
from typing import Any

import pytest
from conftest import serve, stop
from test_browser import assert_clean, eventually, watch

import influence
from influence.experiments.whatif import outcomes
from pages.ui.jobs import background

pytestmark = pytest.mark.slow  # real retrainings behind a real browser

PATIENCE = 180_000  # milliseconds: PyTorch alone takes long to load on a busy machine


@pytest.fixture
def served(workspaces, tmp_path):
    """The address of a server on a workspace of its own, and that workspace."""
    shutil.copytree(workspaces / "tiny", tmp_path / "tiny")
    workspace = influence.open_workspace(tmp_path / "tiny")
    process, address = serve(tmp_path)
    yield address, workspace
    for job in background.jobs(workspace):
        job.cancel()
    stop(process)


@pytest.fixture
def page(browser: Any, served: Any) -> Any:
    opened = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=served[0])
    opened.set_default_timeout(PATIENCE)
    seen = watch(opened)
    yield opened
    assert_clean(opened, seen)
    opened.close()


def jobs_on(page: Any) -> Any:
    return page.locator("[class*='st-key-wt-job-']")


def test_a_mistake_is_tried_out_while_other_pages_are_read_and_a_run_is_cancelled(page, served):
    _, workspace = served
    page.goto("/explore?show=all&id=test-3")
    page.get_by_role("link", name="What would fix this?").click()
    page.wait_for_url("**/proof*")
    page.get_by_text("examples", exact=False).first.wait_for()
    page.get_by_role("button", name="Try it").click()
    jobs_on(page).first.wait_for()

    page.get_by_role("link", name="Explore", exact=True).click()  # it goes on without its page
    page.wait_for_url("**/explore*")
    page.locator(".row").first.wait_for()
    assert background.jobs(workspace) or outcomes(workspace)
    page.go_back()
    page.locator(".wt-verdict").wait_for()
    [outcome] = outcomes(workspace)
    assert f"{outcome.of('test')[0].paired.after:.1%}" in page.locator(".wt-verdict").inner_text()
    page.locator(".js-plotly-plot .xy").first.wait_for()
    eventually(lambda: not background.jobs(workspace))

    page.goto("/what_if?change=words:test-3:20&seeds=50")
    before = sorted(path.name for path in workspace.path.iterdir())
    page.get_by_role("button", name="Try it").click()
    jobs_on(page).first.wait_for()
    eventually(lambda: background.jobs(workspace) and background.jobs(workspace)[0].started_at is not None)
    jobs_on(page).get_by_role("button", name="Cancel").click()
    jobs_on(page).first.wait_for(state="detached")
    assert background.jobs(workspace) == []
    assert outcomes(workspace) == [outcome]
    assert sorted(path.name for path in workspace.path.iterdir()) == before


def test_on_a_phone_every_question_can_be_read(page, served):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/proof?change=opponents:test-3:5")
    questions = page.locator(".st-key-proof_place button")
    questions.first.wait_for()
    boxes = [questions.nth(number).bounding_box() for number in range(questions.count())]
    assert len(boxes) == 3
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    assert page.get_by_text("test sentence test-3").is_visible()
