"""The layers of a camera's settings as they are in a file: the site's defaults, and its own above them.

Pure functions of what a YAML file has, which may be anything. Values are checked afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CAMERA = "{camera}"
"""In the name of an output: the name of the camera."""
_LOWEST: Mapping[str, Any] = {"source": {"retry_at_start": True}}
"""A site starts although a camera is switched off."""


def camera_values(name: object, camera: object, defaults: object) -> object:
    """The settings of a camera with the defaults below them, and its name in the names of its outputs.

    Sections are merged, a list replaces a list. `output` is for every entry of `outputs` that does not say otherwise.

    Args:
        name: of the camera.
        camera: its own settings, or only its source.
        defaults: of all cameras.

    Returns:
        `camera` itself if it or the defaults are no sections.
    """
    camera = long_form(of_source(camera))
    if not isinstance(camera, Mapping) or not isinstance(defaults, Mapping):
        return camera
    merged = merge(merge(_LOWEST, defaults), camera)
    outputs, common = merged.get("outputs"), merged.get("output")
    if isinstance(outputs, list | tuple):
        shared = common if isinstance(common, Mapping) else {}
        merged["outputs"] = [_output(one, str(name), shared) for one in outputs]
    return merged


def of_source(camera: object) -> object:
    """A camera, of which only the source may be written, as a section."""
    is_source = isinstance(camera, str | int) and not isinstance(camera, bool)
    return {"source": {"uri": camera}} if is_source else camera


def long_form(camera: object) -> object:
    """A camera, or the defaults, in which `detector: small` is written as `detector: {name: small}`."""
    if isinstance(camera, Mapping) and isinstance(camera.get("detector"), str):
        return {**camera, "detector": {"name": camera["detector"]}}
    return camera


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings; of a key in both the section merged in the same way, or the value of `above`."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _output(output: object, name: str, common: Mapping[str, Any]) -> object:
    if not isinstance(output, Mapping):
        return output
    to = output.get("to")
    return {**common, **output, **({"to": to.replace(CAMERA, name)} if isinstance(to, str) else {})}
