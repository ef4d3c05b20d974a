"""Files of any structure: every frame and packet is at its time, or a note names what is missing.

`STREAMER_STRUCTURES=500 pytest tests/sinks/video/test_structures.py` tries that many of them instead of 50.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from streamer.interfaces import Scene
from streamer.sources.file.file import FileSource
from streamer.sources.file.pipe import PipeSource
from streamer.values.states import FrameState
from tests.sinks.making import video_sink
from tests.sinks.scenes import LABELS, tracks
from tests.structure import PART_NUMBERS, Contents, FilePlan, OtherStream, StreamPlan, build, contents

EXAMPLES = int(os.environ.get("STREAMER_STRUCTURES", "50"))
VIDEOS = {
    ".mp4": ("h264", "reordered", "mpeg4", "mjpeg", "vp9"),
    ".mov": ("h264", "reordered", "mpeg4", "mjpeg"),
    ".mkv": ("h264", "reordered", "mpeg4", "mjpeg", "ffv1", "vp9"),
    ".webm": ("vp9",),
    ".ts": ("h264", "reordered", "mpeg2video"),
    ".mpg": ("mpeg2video",),
    ".avi": ("h264", "mpeg4", "mjpeg", "ffv1"),
    ".flv": ("h264", "reordered"),
    ".nut": ("h264", "mpeg4", "mjpeg", "ffv1"),
}
SOUNDS = {
    ".mp4": ("aac", "mp3", "opus", "flac", "ac3"),
    ".mov": ("aac", "pcm_s16le", "mp3", "ac3"),
    ".mkv": ("aac", "mp2", "mp3", "pcm_s16le", "opus", "flac", "ac3"),
    ".webm": ("opus",),
    ".ts": ("aac", "mp2", "mp3", "ac3", "opus"),
    ".mpg": ("mp2", "ac3"),
    ".avi": ("mp2", "mp3", "pcm_s16le", "ac3"),
    ".flv": ("aac", "mp3"),
    ".nut": ("mp2", "mp3", "pcm_s16le", "aac"),
}
SUBTITLES = (".mp4", ".mov", ".mkv")
EVEN = (".avi", ".mpg")
"""Containers with equal steps, or with times for some frames only."""
NO_GAPS: tuple[str, ...] = ()
"""Gaps in uncompressed audio depend on the container; other tests cover them."""
IN_ORDER = (".mkv", ".webm", ".ts", ".mpg", ".flv", ".nut")
"""Containers that can be read through a pipe."""
OUTPUTS = (".mp4", ".mkv", ".mov", ".ts", ".avi")
FRAMES_ONLY = (".avi",)
"""Outputs without the other streams here; other tests cover audio in AVI."""

seconds = st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1), Fraction(31, 10)])
gaps = st.lists(st.tuples(st.integers(1, 20), seconds), max_size=2, unique_by=lambda gap: gap[0]).map(tuple)
durations = st.sampled_from(["right", "right", "missing", "absurd"])


@st.composite
def stream_plans(draw: st.DrawFn, suffix: str, *, sound: bool, stretch: int) -> StreamPlan:
    codec = draw(st.sampled_from((SOUNDS if sound else VIDEOS)[suffix]))
    even = suffix in EVEN
    length_s = Fraction(1) * stretch if sound else Fraction(1)
    if stretch > 1 and sound:
        codec = "mp2" if "mp2" in SOUNDS[suffix] else codec
    return StreamPlan(
        codec,
        length_s + draw(st.sampled_from([Fraction(0), Fraction(-1, 5), Fraction(1, 5)])),
        draw(seconds) if sound and not even else Fraction(0),
        () if even or codec in NO_GAPS else draw(gaps),
        "right" if even else draw(durations),
        1 if sound else stretch,
    )


@st.composite
def file_plans(draw: st.DrawFn) -> FilePlan:
    suffix = draw(st.sampled_from(sorted(VIDEOS)))
    stretch = 1 if suffix in EVEN else draw(st.sampled_from([1, 1, 1, 20]))
    streams = [draw(stream_plans(suffix, sound=False, stretch=stretch))]
    count = draw(st.sampled_from([0, 1, 1, 1, 2, 3]))
    if suffix == ".flv":
        count = min(count, 1)
    streams += [draw(stream_plans(suffix, sound=True, stretch=stretch)) for _ in range(count)]
    if suffix in SUBTITLES and draw(st.booleans()):
        streams.append(StreamPlan("subtitle", Fraction(2), draw(seconds)))
    if suffix in (".mp4", ".mkv", ".mov", ".ts") and draw(st.integers(0, 3)) == 3:
        streams.append(draw(stream_plans(suffix, sound=False, stretch=stretch)))
    offset_s = draw(st.sampled_from([Fraction(0), Fraction(0), Fraction(7, 5), Fraction(-1, 2), Fraction(26541)]))
    lag_s = draw(
        st.sampled_from([Fraction(0), Fraction(0), Fraction(1, 2), Fraction(-1, 2), Fraction(30), Fraction(-30)])
    )
    if offset_s < 0:
        lag_s = Fraction(0)  # or streams of MPEG-TS begin on both sides of where its clock of 33 bits wraps
    parts = 1
    starts: tuple[Fraction, ...] = ()
    if suffix == ".ts" and draw(st.booleans()):
        parts = draw(st.integers(2, 4))
        starts = tuple(draw(st.sampled_from([Fraction(0), offset_s, Fraction(7200)])) for _ in range(parts - 1))
    return FilePlan(suffix, tuple(streams), offset_s, lag_s, parts, starts)


@given(plan=file_plans(), output=st.sampled_from(OUTPUTS), codec=st.sampled_from([None, "mpeg4"]), piped=st.booleans())
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_frame_and_packet_is_in_place_or_noted(
    plan: FilePlan, output: str, codec: str | None, piped: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip, copy = Path(folder, f"in{plan.suffix}"), Path(folder, f"out{output}")
        try:
            build(plan, clip)
        except (av.error.FFmpegError, ValueError):
            assume(False)
        piped = piped and plan.suffix in IN_ORDER
        with opened(clip, piped=piped) as source:
            others = None if output in FRAMES_ONLY else source.passthrough
            sink = video_sink(copy, source.info, passthrough=others, codec=codec, threads=1)
            with sink:
                for frame in source:
                    sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
            notes = [*source.notes, *sink.notes]
        given = contents(clip)
        given.streams = [] if others is None else given.streams
        wrong = differences(given, contents(copy, best=False), notes)
    assert not wrong, "\n".join([*wrong, "notes:", *notes])


@contextmanager
def opened(path: Path, *, piped: bool) -> Iterator[FileSource | PipeSource]:
    """The file, read directly or through a pipe."""
    if not piped:
        with FileSource(path, threads=1) as source:
            yield source
        return
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(path.read_bytes()))
    writer.start()
    with PipeSource(str(fifo), threads=1) as through:
        yield through
    writer.join()


def differences(given: Contents, made: Contents, notes: list[str]) -> list[str]:
    """Differences without a note."""
    if made.numbers != given.numbers:
        return [f"frames {made.numbers} instead of {given.numbers}"]
    noted = [note for note in notes if note.endswith("left out")]
    kept = [one for one in given.streams if not any(f"stream {one.index} " in note for note in noted)]
    if len(kept) != len(made.streams):
        return [f"streams {[(one.index, one.codec) for one in kept]} became {[one.codec for one in made.streams]}"]
    wrong, moved, step_s = [], moved_by(given, made), given.step_s + made.step_s
    for part, (low, high) in moved.items():
        if high - low > step_s:
            wrong.append(f"part {part}: frames moved by {float(low)} to {float(high)}")
    times = [time for time in made.times if time is not None]
    if times != sorted(times):
        wrong.append(f"times go back: {times}")
    for one, other in zip(kept, made.streams, strict=True):
        if any(f"stream {one.index} " in note and "left out from there on" in note for note in notes):
            continue
        if any(f"stream {one.index} " in note and "encoded as" in note for note in notes):
            wrong += encoded_differences(one, other, moved)
        else:
            wrong += stream_differences(one, other, moved, step_s)
    return wrong


def moved_by(given: Contents, made: Contents) -> dict[int, tuple[Fraction, Fraction]]:
    """The smallest and largest shift of the frames of each part, seconds."""
    moved: dict[int, tuple[Fraction, Fraction]] = {}
    for number, before, after in zip(given.numbers, given.times, made.times, strict=True):
        if before is not None and after is not None:
            low, high = moved.get(number // PART_NUMBERS, (after - before, after - before))
            moved[number // PART_NUMBERS] = min(low, after - before), max(high, after - before)
    if not moved and made.times[0] is not None:  # the input times none of its pictures, and begins at 0
        moved[0] = made.times[0], made.times[0]
    return moved


def encoded_differences(
    given: OtherStream, made: OtherStream, moved: dict[int, tuple[Fraction, Fraction]]
) -> list[str]:
    """Whether encoded audio begins at another time; a packet of either codec is shorter than 0.1 s."""
    before, after = (min((time for time, _ in one.packets if time is not None), default=None) for one in (given, made))
    if before is None or after is None:
        return [f"stream {given.index}: {len(given.packets)} packets became {len(made.packets)}"]
    low, high = moved[min(moved)]
    apart_s = min(abs(after - before - low), abs(after - before - high))
    return [f"stream {given.index}: begins {float(apart_s):.3f} s elsewhere"] if apart_s > Fraction(1, 10) else []


def stream_differences(
    given: OtherStream, made: OtherStream, moved: dict[int, tuple[Fraction, Fraction]], step_s: Fraction
) -> list[str]:
    """Differences of a copied stream: its bytes and their times."""
    name = f"stream {given.index} ({given.codec})"
    if b"".join(data for _, data in made.packets) != b"".join(data for _, data in given.packets):
        return [f"{name}: {len(made.packets)} packets instead of {len(given.packets)}"]
    places = dict(zip(starts(given), given.packets, strict=True))  # uncompressed audio is cut into other packets
    wrong = []
    allowed_s = step_s + given.step_s + made.step_s
    for at, (after, _) in zip(starts(made), made.packets, strict=True):
        before = places[at][0] if at in places else None
        if before is None or after is None:
            continue
        # A packet of joined parts goes with one of them; which one is tested with the clock.
        if not any(low - allowed_s <= after - before <= high + allowed_s for low, high in moved.values()):
            wrong.append(f"{name}: {float(before):.3f} became {float(after):.3f}, the video moved by {moved}")
    return wrong[:3]


def starts(stream: OtherStream) -> list[int]:
    """The byte at which each packet starts."""
    return (
        list(itertools.accumulate((len(data) for _, data in stream.packets[:-1]), initial=0)) if stream.packets else []
    )
