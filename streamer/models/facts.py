"""What is known about the models by name: to choose by, in `models list` and in docs/models.md. Main thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamer.models import store


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about one model.

    Attributes:
        classes: number of classes.
        input_px: size of the input in pixels.
        published_map: mean average precision as its authors publish it, and the data set; None if they do not.
        person_f1: F1 of the class Person on PETS09-S2L1-a at 480x360, IoU 0.5, at the default score; None if it was
            not measured (docs/engineering/accuracy.md).
        licence: of the weights.
    """

    classes: int
    input_px: str
    published_map: tuple[float, str] | None
    person_f1: float | None
    licence: str


FACTS: Mapping[str, Facts] = {
    # mAP on val2017: https://github.com/RangiLyu/nanodet, table "Model Zoo".
    store.NANODET: Facts(80, "416x416", (0.229, "COCO"), 0.87, "Apache-2.0"),
    # MediaPipe publishes the weights and the graph, and no mAP:
    # https://github.com/google-ai-edge/mediapipe/tree/master/mediapipe/modules/objectron
    store.STARTER: Facts(23, "300x300", None, 0.78, "Apache-2.0"),
    # mAP by the metric of the Open Images Challenge:
    # https://tfhub.dev/google/faster_rcnn/openimages_v4/inception_resnet_v2/1
    store.HUB_MODULE: Facts(601, "to 1024", (0.58, "Open Images"), None, "Apache-2.0"),
}
