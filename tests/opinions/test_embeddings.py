"""Sentence embeddings against one text at a time through the library, and what is kept of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from influence.cli import main
from influence.errors import ModelError
from influence.models.model import train_word_pieces
from influence.models.packaged import demo_model
from influence.opinions import embeddings as keeping, encoder as encoders
from influence.opinions.embeddings import FOLDER, Encoder, chosen_encoder, embeddings, pair_features
from influence.opinions.encoder import check_encoder, embed

CPU = "cpu"
TEXTS = ["a good film", "the plot is dull and the music is poor", "a good film", "fine", "so very very good"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder of one layer, as Sentence Transformers saves one: mean pooling."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = train_word_pieces(TEXTS * 3)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    (folder / "modules.json").write_text("[]")
    return str(folder)


def one_by_one(name: str, texts: list[str], *, first: bool = False) -> np.ndarray:
    tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModel.from_pretrained(name).eval()
    rows = []
    for text in texts:
        with torch.no_grad():
            states_LD = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        pooled = states_LD[0] if first else states_LD.mean(dim=0)
        rows.append((pooled / pooled.norm()).numpy())
    return np.stack(rows)


def test_embeddings_are_means_over_tokens_of_length_1(tiny: str) -> None:
    np.testing.assert_allclose(embed(tiny, TEXTS, CPU), one_by_one(tiny, TEXTS), atol=1e-5)


def test_an_encoder_that_says_so_is_read_at_its_first_token(tiny: str, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(tiny, tmp_path / "first"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    np.testing.assert_allclose(embed(str(folder), TEXTS, CPU), one_by_one(str(folder), TEXTS, first=True), atol=1e-5)
    assert Encoder(str(folder)).key != Encoder(tiny).key


def test_the_packaged_encoder(tmp_path: Path) -> None:
    packaged = demo_model()
    if packaged is None:
        pytest.skip("the packaged MiniLM is not installed")
    found = embeddings(tmp_path, Encoder(str(packaged)), TEXTS, CPU)
    np.testing.assert_allclose(found, one_by_one(str(packaged), TEXTS), atol=1e-3)  # kept as float16


def test_a_text_is_embedded_once(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    real = encoders.embed

    def counting(name: str, texts: list[str], *rest: object) -> np.ndarray:
        asked.append(sorted(texts))
        return real(name, texts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(encoders, "embed", counting)
    first = embeddings(tmp_path, Encoder(tiny), TEXTS, CPU)
    assert asked == [sorted(set(TEXTS))]
    np.testing.assert_array_equal(embeddings(tmp_path, Encoder(tiny), TEXTS[::-1], CPU), first[::-1])
    assert len(asked) == 1
    changed = embeddings(tmp_path, Encoder(tiny), [*TEXTS, "another"], CPU)
    assert asked[1:] == [["another"]]
    np.testing.assert_array_equal(changed[: len(TEXTS)], first)
    [file] = (tmp_path / FOLDER).iterdir()
    for content in (b"no array", file.read_bytes()[:200]):
        file.write_bytes(content)
        np.testing.assert_array_equal(embeddings(tmp_path, Encoder(tiny), TEXTS, CPU), first)
    assert len(asked) == 4


def test_a_pair_is_both_texts_their_distance_and_their_product() -> None:
    one, two = np.array([[0.6, 0.8]], dtype=np.float32), np.array([[1.0, 0.0]], dtype=np.float32)
    row = np.array([0.6, 0.8, 1, 0, 0.4, 0.8, 0.6 * np.sqrt(2), 0])
    np.testing.assert_allclose(pair_features(one, two), [row / np.linalg.norm(row)], rtol=1e-6)


def test_which_encoder_is_used(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_encoder("none", tiny) is None
    assert chosen_encoder("some/encoder", tiny) == Encoder("some/encoder")
    assert chosen_encoder("auto", tiny) == Encoder(tiny)  # the model itself is one
    monkeypatch.setattr(keeping, "demo_model", lambda: Path("/packaged"))
    assert chosen_encoder("auto", "cnn") == Encoder("/packaged")
    monkeypatch.setattr(keeping, "demo_model", lambda: None)
    assert chosen_encoder("auto", "cnn") is None


@pytest.mark.parametrize("name", ["./nowhere", "a/b/c"])
def test_an_encoder_that_is_not_there_is_one_line(name: str, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match=r"there is no such model folder$"):
        check_encoder(name)
    assert main(["suspects", "--workspace", str(workspace), "--encoder", name]) == 2
    assert capsys.readouterr() == ("", f"wordtrace: {name!r}: there is no such model folder\n")
    files = ["--train", "never read", "--workspace", str(workspace.parent / "unmade")]
    assert main(["build", *files, "--encoder", name]) == 2
    assert not (workspace.parent / "unmade").exists()


def test_an_encoder_that_makes_no_numbers_is_refused(tiny: str, tmp_path: Path) -> None:
    import shutil

    folder = str(shutil.copytree(tiny, tmp_path / "broken"))
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match=r"makes embeddings that are no numbers; use another one, or none$"):
        embeddings(tmp_path, Encoder(folder), TEXTS, CPU)
