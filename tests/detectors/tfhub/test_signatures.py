"""SavedModels that are recognised as detectors by their signatures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.detectors.tfhub.signatures import recognise
from streamer.errors import ModelError
from streamer.models.saved_model import Signature, Tensor

FOLDER = Path("models/it")
ANY_SIZE = (1, None, None, 3)


def tensor(dtype: str, shape: tuple[int | None, ...] | None) -> Tensor:
    return Tensor("some:0", dtype, shape)


def hub_module(shape: tuple[int | None, ...] | None = ANY_SIZE, dtype: str = "float32") -> Signature:
    keys = ("boxes", "scores", "class_labels", "class_names", "class_entities")
    outputs = {f"detection_{key}": tensor("string", (None, 1)) for key in keys}
    return Signature("default", (), {"images": tensor(dtype, shape)}, outputs)


def api_model(shape: tuple[int | None, ...] | None = ANY_SIZE, dtype: str = "uint8") -> Signature:
    keys = ("detection_boxes", "detection_scores", "detection_classes", "num_detections", "raw_detection_boxes")
    outputs = {key: tensor("float32", None) for key in keys}
    return Signature("serving_default", ("serve",), {"input_tensor": tensor(dtype, shape)}, outputs)


def test_a_hub_module_takes_floats_to_1_and_names_its_classes() -> None:
    form = recognise([hub_module()], FOLDER)
    assert (form.input_key, form.white, form.size, form.has_names) == ("images", 1, None, True)
    assert form.outputs[0] == "detection_boxes"


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_an_api_model_takes_values_to_255(dtype: str) -> None:
    form = recognise([api_model(dtype=dtype)], FOLDER)
    assert (form.input_key, form.white, form.size, form.has_names) == ("input_tensor", 255, None, False)


@pytest.mark.parametrize("shape", [None, (None, None, None, 3), (1, None, None, None), (None, None, None, None)])
def test_open_dimensions_are_accepted(shape: tuple[int | None, ...] | None) -> None:
    assert recognise([hub_module(shape)], FOLDER).size is None


def test_a_fixed_size_is_width_first() -> None:
    assert recognise([api_model((1, 320, 640, 3))], FOLDER).size == (640, 320)


def test_default_without_tags_comes_first() -> None:
    tagged = replace(hub_module(), tags=("train",))
    other = replace(hub_module(), name="other")
    assert recognise([tagged, other, hub_module()], FOLDER).signature == hub_module()
    assert recognise([tagged], FOLDER).signature == tagged


@pytest.mark.parametrize(
    "wrong",
    [
        hub_module((8, None, None, 3)),
        hub_module((1, None, None, 1)),
        hub_module((None, None, 3)),
        hub_module(dtype="uint8"),
        replace(hub_module(), inputs={"pictures": tensor("float32", ANY_SIZE)}),
        replace(api_model(), inputs={**api_model().inputs, "more": tensor("float32", ())}),
        replace(hub_module(), outputs={"logits": tensor("float32", (None, 1000))}),
    ],
    ids=["batch of 8", "grey", "no batch", "bytes", "other input", "two inputs", "classifier"],
)
def test_other_signatures_are_shown_with_the_expected_ones(wrong: Signature) -> None:
    with pytest.raises(ModelError) as caught:
        recognise([wrong], FOLDER)
    message = str(caught.value)
    assert "\n" not in message
    assert "models/it is no detector" in message
    assert str(wrong) in message
    assert "expected float32 [1, ?, ?, 3] as 'images'" in message


def test_an_export_for_encoded_pictures_names_the_option_of_the_exporter() -> None:
    with pytest.raises(ModelError, match=r"models/it takes encoded pictures .*input_type image_tensor"):
        recognise([api_model(dtype="string")], FOLDER)


def test_no_signature() -> None:
    with pytest.raises(ModelError, match="has the signature none"):
        recognise([], FOLDER)
