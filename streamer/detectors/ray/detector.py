"""The detector `ray://HEAD/NAME`: a pool on a Ray cluster. Built by the main thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from streamer.config.detector import DetectorSettings
from streamer.detectors.ray.address import SCHEME, PoolAddress
from streamer.detectors.remote.breaker import CircuitBreaker
from streamer.detectors.remote.detector import RemoteDetector
from streamer.errors import ConfigError
from streamer.features import DetectorContext, DetectorFeature
from streamer.interfaces import Detector
from streamer.values.labels import LabelTable

if TYPE_CHECKING:
    from streamer.detectors.ray.values import PoolCard


_KNOWN_S = 30.0
"""So long a pool is not looked for again. A later run may find another pool of the same name."""


class RayDetector(RemoteDetector, DetectorFeature):
    """A detector in a pool."""

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name begins with `ray://`."""
        return name.startswith(SCHEME)

    @classmethod
    def title(cls, name: str) -> str:
        """What messages call it."""
        address = PoolAddress.parse(name)
        return f"pool {address.name} at {address.cluster}"

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable | None:
        """The classes of the pool's detector, which the pool tells; None for another name."""
        return None if not cls.accepts(settings.name) else _known.card(settings).loaded.labels

    @classmethod
    def default_score(cls, settings: DetectorSettings) -> float:
        """The default of the pool's detector."""
        return _known.card(settings).loaded.default_min_score

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[Detector]:
        """One detector for a live source, and one for each worker of the pool for a file; or `workers`.

        Raises:
            ConfigError: there is no such pool, or it does not report scores that low.
            ModelError: the pool has no detector yet.
            ClusterUnavailable: there is no cluster, or it cannot be used.
        """
        from streamer.detectors.ray.link import PoolLink
        from streamer.detectors.ray.model import PoolModel

        card, address = _known.card(settings), PoolAddress.parse(settings.name)
        lowest = card.loaded.lowest_score
        if settings.min_score is not None and settings.min_score < lowest:
            raise ConfigError(
                f"{address} reports scores from {lowest:g} on, so detector.min_score cannot be {settings.min_score:g}; "
                f"start the pool with detector.min_score={settings.min_score:g}"
            )
        is_live = context.info is not None and context.info.live
        count = settings.workers or (1 if is_live else card.workers)
        link, breaker = PoolLink(address, card), CircuitBreaker()
        models = [PoolModel(link, settings.min_score) for _ in range(count)]
        return [cls.of(model, breaker, settings) for model in models]


class _Known:
    """The pools that this process has just found: a check of the settings and the detector need one connection.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._cards: dict[PoolAddress, tuple[PoolCard, float]] = {}  # with the time

    def card(self, settings: DetectorSettings) -> PoolCard:
        from streamer.detectors.ray.link import card_of

        address = PoolAddress.parse(settings.name)
        with self._lock:
            card, found_s = self._cards.get(address, (None, 0.0))
            if card is None or self._clock() - found_s > _KNOWN_S:
                card = card_of(address)
                self._cards[address] = card, self._clock()
            return card


_known = _Known()
