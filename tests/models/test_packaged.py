"""The model that a build trains where none is named."""

from pathlib import Path

import pytest

from influence.models import packaged
from influence.models.packaged import ENCODER_LAYERS, SMALL_DATA, usual_model

ENGLISH = ["This is not what I had asked for, and it took a week.", "The second half of the film is better than the first."]
GERMAN = ["Das ist nicht, was ich bestellt hatte, und es hat eine Woche gedauert.", "Die zweite Hälfte des Films ist besser."]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(packaged, "demo_model", lambda: tmp_path)
    return str(tmp_path)


def test_little_english_text_is_given_to_the_installed_encoder(installed: str) -> None:
    assert usual_model(ENGLISH)[:2] == (installed, ENCODER_LAYERS)
    assert usual_model(ENGLISH * (SMALL_DATA // 2))[:2] == (installed, ENCODER_LAYERS)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ((ENGLISH * SMALL_DATA)[: SMALL_DATA + 1], "more than 10,000 training examples"),
        (GERMAN, "another language"),
        (["这部电影很无聊", "演员很好"], "another language"),
    ],
)
def test_other_texts_are_given_to_the_cnn(installed: str, texts: list[str], why: str) -> None:
    found = usual_model(texts)
    assert found[:2] == ("cnn", None)
    assert why in found.why


def test_without_an_encoder_it_is_the_cnn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "DEMO_MODEL", "no_such_package")
    found = usual_model(ENGLISH)
    assert found[:2] == ("cnn", None)
    assert f"({packaged.GET_DEMO})" in found.why
