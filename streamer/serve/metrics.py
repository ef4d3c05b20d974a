"""The web pages of a site: `/metrics` of all cameras and `/healthz`. The web server's thread makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streamer.notify.figures import Statuses, TargetCollector
from streamer.observe.metrics import MetricsServer, Stream, common_labels, labels
from streamer.serve.health import PATH as HEALTH_PATH
from streamer.serve.health import HealthPages
from streamer.serve.status import CameraState, CameraStatus

Cameras = Callable[[], Sequence[CameraStatus]]
"""Returns the cameras that there are now. Any thread."""


class SitePages(MetricsServer):
    """Serves the metrics and the health of a site from entering to leaving.

    Args:
        address: `[host]:port` or a port, as for `MetricsServer`.
        cameras: asked at each request.
        targets: the targets of alerts; asked at each request.
        may_be_empty: see `HealthPages`.

    Raises:
        ConfigError: the address is invalid; on entering, an output has one of the paths.
        SinkUnavailable: on entering, when it cannot listen there.
    """

    def __init__(
        self,
        address: str,
        cameras: Cameras,
        targets: Statuses = lambda: (),
        may_be_empty: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(
            address,
            lambda: [Stream(camera.source, camera.stats) for camera in cameras()],
            collectors=[CameraCollector(cameras), TargetCollector(targets)],
            routes=HealthPages(cameras, targets, may_be_empty).routes(),
        )

    @property
    def health_url(self) -> str:
        """The health of all cameras, for a client on this machine, once it is entered."""
        return self.url.removesuffix(self.routes[0].path) + HEALTH_PATH


class CameraCollector(Collector):
    """Converts the states of the cameras, and their turns at the detectors, to metrics at every scrape.

    Args:
        cameras: see `SitePages`.
    """

    def __init__(self, cameras: Cameras) -> None:
        self._cameras = cameras

    def collect(self) -> Iterator[Metric]:
        """All metrics. Called by the thread of the server."""
        cameras = [(common_labels(camera.name, camera.source), camera) for camera in self._cameras()]
        state = GaugeMetricFamily("streamer_camera_state", "1 for the state of the camera.", labels=labels("state"))
        restarts = CounterMetricFamily(
            "streamer_camera_restarts", "Times that the camera was started again.", labels=labels()
        )
        for common, camera in cameras:
            for one in CameraState:
                state.add_metric([*common, one], camera.state is one)
            restarts.add_metric(common, camera.restarts)
        yield from (state, restarts, *_detection(cameras))


def _detection(cameras: Sequence[tuple[list[str], CameraStatus]]) -> Iterator[Metric]:
    seconds = CounterMetricFamily(
        "streamer_detector_seconds", "Time that the detector worked for the camera.", labels=labels("detector")
    )
    detections = CounterMetricFamily(
        "streamer_detector_detections", "Frames that were detected for the camera.", labels=labels("detector")
    )
    wait = GaugeMetricFamily(
        "streamer_detector_longest_wait_seconds",
        "Longest time between two turns of the camera.",
        labels=labels("detector"),
    )
    for common, camera in cameras:
        times, name = camera.stats.stages.get("detect"), "" if camera.detector is None else camera.detector.name
        seconds.add_metric([*common, name], 0.0 if times is None else times.total_s)
        detections.add_metric([*common, name], 0 if times is None else times.count)
        if camera.turns is not None:
            wait.add_metric([*common, name], camera.turns.longest_wait_s)
    yield from (seconds, detections, wait)
