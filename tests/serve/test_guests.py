"""Streams beside the cameras of a site that share a detector with them."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streamer.config.camera import CameraSettings
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError, Interrupted
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.serve.site import Site
from streamer.serve.site_pools import Guest
from streamer.serve.status import CameraState
from tests.pipeline.parts import DEADLINE_S
from tests.serve.test_site import Kept, endless, running, site_of

pytestmark = pytest.mark.usefixtures("starter_weights")


def guest_of(site: Site, name: str = "guest", stop: Any = lambda: None, **detector: Any) -> Guest:
    return site.guest(name, CameraSettings.model_validate({"detector": detector}), stop)


def joined(guest: Guest, site: Site, say: Any = lambda _: None) -> Detector:
    (detector,) = guest.build(site.settings.detector, DetectorContext(say=say)).detectors
    return detector


def test_first_guest_loads_the_detector_and_others_find_it() -> None:
    said = list[str]()
    with running(site_of({})) as (site, kept, _):
        for _ in range(2):
            guest = guest_of(site)
            joined(guest, site, said.append)
            guest.leave()
    assert sum("loaded now" in line for line in said) == 1
    assert sum("using starter" in line for line in kept.lines) == 1


def test_guest_that_comes_before_the_cameras_shares_their_detector(tmp_path: Path) -> None:
    """The page is served before the site starts, and a browser may wait for it."""
    settings, kept, stopped = site_of({"front": endless(tmp_path, "front")}), Kept(), threading.Event()
    site = Site(settings, lambda: settings, kept)
    joined(guest_of(site, stop=stopped.set), site)

    def work() -> None:
        with pytest.raises(Interrupted):
            site.run()

    thread = threading.Thread(target=work)
    thread.start()
    kept.wait_for_state(CameraState.RUNNING, "front")
    site.stop()
    thread.join(DEADLINE_S)
    assert stopped.is_set()
    assert sum("using starter" in line for line in kept.lines) == 1


def test_detector_of_a_guest_stays_over_a_reload(tmp_path: Path) -> None:
    with running(site_of({})) as (site, kept, _):
        guest_of(site, "before").leave()
        guest = guest_of(site)
        detector = joined(guest, site)
        site.add("front", endless(tmp_path, "front"))
        kept.wait_for_state(CameraState.RUNNING, "front")
        site.remove("front")
        assert detector.turns is not None  # type: ignore[attr-defined]
        guest.leave()
    assert sum("using starter" in line for line in kept.lines) == 1


def test_guest_is_stopped_when_its_detector_is_replaced() -> None:
    stopped = threading.Event()
    with running(site_of({})) as (site, _, _):
        joined(guest_of(site, stop=stopped.set), site)
        site.apply(SiteSettings.model_validate({"detector": {"name": "starter", "workers": 1, "threads": 2}}))
        assert stopped.is_set()
        joined(guest_of(site, "another"), site)


def test_guest_is_stopped_when_the_site_ends() -> None:
    stopped = threading.Event()
    with running(site_of({})) as (site, _, _):
        joined(guest_of(site, stop=stopped.set), site)
    assert stopped.is_set()
    with pytest.raises(Interrupted):
        joined(guest_of(site, "late"), site)


def test_guest_for_which_the_detector_has_no_time_is_refused(tmp_path: Path) -> None:
    """The bound of the camera comes first: it can be kept alone, but not with one more stream."""
    with running(site_of({"front": endless(tmp_path, "front")})) as (site, kept, _):
        kept.wait_for_state(CameraState.RUNNING, "front")
        guest = guest_of(site, max_age_s=1e-6)
        with pytest.raises(ConfigError, match="max_age_s"):
            joined(guest, site)
        guest.leave()
        joined(guest_of(site, "modest"), site)


@pytest.mark.parametrize("policy", ["gain", "round_robin"])
def test_policies_give_waiting_guests_turns_alike(policy: str) -> None:
    """Guests without a picture have equal gains, so the one whose last turn began first is next with both policies."""
    order, ready = list[str](), threading.Barrier(3, timeout=DEADLINE_S)
    with running(site_of({}, detector={"name": "starter", "workers": 1, "policy": policy})) as (site, _, _):
        guests = [guest_of(site, name) for name in ("one", "two", "three")]
        detectors = {guest.name: joined(guest, site) for guest in guests}

        def work(name: str) -> None:
            ready.wait()
            while len(order) < 60:
                with detectors[name].turn():  # type: ignore[attr-defined]
                    order.append(name)

        threads = [threading.Thread(target=work, args=[name], daemon=True) for name in detectors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        for guest in guests:
            guest.leave()
    assert min(Counter(order[:60]).values()) >= 15, order
