"""What a chart shows, in words: the same network as in training, on ONNX Runtime, from files that are verified."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.artifact import MANIFEST, WEIGHTS, ArtifactError
from models.chart import ChartEncoder
from models.chart_image import ChartError, read_image
from models.chart_reader import UNREADABLE, ChartReader, Reading, load_chart_reader, sentence, write_chart_artifact
from models.windows import ATTRIBUTES

MANIFEST_PARTS = {
    "name": "chart",
    "temperatures": dict.fromkeys(ATTRIBUTES, 2.0),
    "trusted": {name: name != "volatility" for name in ATTRIBUTES},
}


def png(seed: int, size: tuple[int, int] = (300, 200)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def encoder() -> ChartEncoder:
    torch.manual_seed(1)
    made = ChartEncoder()
    # Running means and variances that a folding which forgets them would miss.
    made.train()
    with torch.no_grad():
        for seed in range(4):
            made(torch.from_numpy(np.stack([read_image(png(10 * seed + i)) for i in range(4)])))
    return made.eval().requires_grad_(False)


def write(folder: Path, encoder: ChartEncoder) -> ChartReader:
    tensors = {name: value.numpy() for name, value in encoder.state_dict().items() if value.is_floating_point()}
    return write_chart_artifact(folder, MANIFEST_PARTS, tensors)


def test_the_graph_says_what_the_network_says(encoder: ChartEncoder, tmp_path: Path) -> None:
    told = write(tmp_path, encoder).read(png(1))
    logits = encoder.attributes(encoder(torch.from_numpy(read_image(png(1))[None])))
    for name, classes in ATTRIBUTES.items():
        wanted = torch.softmax(logits[name][0] / 2, dim=0)
        assert told[name].value == classes[int(wanted.argmax())]
        assert told[name].probability == pytest.approx(float(wanted.max()), abs=0.006)
        assert told[name].trusted == (name != "volatility")


def reading(trusted: set[str]) -> dict[str, Reading]:
    said = {"trend": "falling", "move": "large", "volatility": "calm", "volume": "growing", "last": "up"}
    return {name: Reading(value, 0.9, name in trusted) for name, value in said.items()}


def test_the_sentence_has_what_is_trusted_and_no_more() -> None:
    assert sentence(reading({"trend", "volume", "last"})) == "The price falls, volume grows, and the last bar is up."
    assert sentence(reading({"last"})) == "The last bar is up."
    assert sentence(reading(set())) == UNREADABLE
    assert sentence(reading(set(ATTRIBUTES))).startswith("The price falls, from first to last it moves through most of the range")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nothing", "no PNG or JPEG image"),
        (b"", "no PNG or JPEG image"),
        (png(1)[:-2000], "the PNG or JPEG image is damaged or cut off"),
    ],
)
def test_what_is_no_image_is_refused_in_our_words(encoder: ChartEncoder, tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ChartError) as refused:
        write(tmp_path, encoder).read(content)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "has format 9"),
        ({"files": {WEIGHTS: "0"}}, "is damaged"),
        ({"attributes": {}}, "head trend does not know"),
        ({"trusted": None}, None),
    ],
)
def test_files_that_do_not_fit_are_refused(
    encoder: ChartEncoder, tmp_path: Path, change: dict[str, object], message: str | None
) -> None:
    manifest = write(tmp_path, encoder).manifest | change
    if message is None:
        del manifest["trusted"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=message or "lacks trusted"):
        load_chart_reader(tmp_path)
    with pytest.raises(ArtifactError, match="squall train chart"):
        load_chart_reader(tmp_path / "none")
