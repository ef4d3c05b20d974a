"""Pictures that FFmpeg's filters make up, such as `testsrc2=size=640x360:rate=25:duration=2`.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.features import SourceContext
from streamer.interfaces import StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.container import ContainerSource, describe
from streamer.system import paths

PREFIX = "lavfi:"


class SyntheticSource(ContainerSource):
    """The frames of a libavfilter graph; it may go on for ever.

    Args:
        graph: in FFmpeg's filter graph syntax, with or without `lavfi:` in front.
        fps: frames a second, in place of what the graph tells.

    Attributes:
        graph: without it.
    """

    section = SourceSettings
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})

    def __init__(self, graph: str, *, fps: str | float | Fraction | None = None) -> None:
        self.graph = graph.removeprefix(PREFIX)
        super().__init__(PREFIX + self.graph, threads=1, fps=fps)

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        """Whether it is a graph behind `lavfi:`."""
        return uri.startswith(PREFIX) and not paths.exists(uri)

    @classmethod
    def from_settings(cls, uri: str, settings: SourceSettings, context: SourceContext) -> Self:  # noqa: ARG003
        """See `streamer.features.SourceFeature`."""
        return cls(uri, fps=settings.fps)

    def _open(self) -> InputContainer:
        return open_graph(self.graph)

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        return describe(stream, first, self._name, self._geometry)


def open_graph(graph: str) -> InputContainer:
    """Open a filter graph as if it were a file.

    Raises:
        SourceUnavailable: FFmpeg cannot build it.
    """
    try:
        return av.open(graph, format="lavfi")
    except (av.error.FFmpegError, ValueError) as error:
        raise SourceUnavailable(
            f"{PREFIX}{graph}: not a filter graph that FFmpeg can build ({reason(error)}); "
            "try lavfi:testsrc2=size=640x360:rate=25:duration=2"
        ) from error
