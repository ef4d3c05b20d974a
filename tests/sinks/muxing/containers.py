"""Measures what each output container keeps of an input; writes docs/engineering/containers.md.

python -m tests.sinks.muxing.containers
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import AttachmentStream, Disposition

from streamer.media.side_data import LIGHT, MASTERING, SPHERICAL, STEREO, side_data_of
from tests.clips import write_video
from tests.sinks.encoding.test_side_data import (
    captions,
    element,
    projection,
    write_hdr,
    write_matroska,
    write_user_data,
)
from tests.sinks.muxing.sounds import Heard, heard, write_sounds
from tests.sinks.muxing.test_data_tracks import clip_with_data, clip_with_klv, clip_with_timecode, timecodes_in
from tests.sinks.scenes import annotate, decoded, payloads, times

PAGE = Path(__file__).parents[3] / "docs" / "engineering" / "containers.md"
SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts")
YES, NOTED, LOST = "yes", "no, noted", "**lost**"
ENCODERS = (
    *("aac", "libmp3lame", "mp2", "ac3", "eac3", "libopus", "vorbis", "flac", "alac", "wmav2", "libopencore_amrnb"),
    *("g722", "g726", "adpcm_ms", "adpcm_ima_wav", "pcm_alaw", "pcm_mulaw"),
    *("pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"),
)
_MILLISECOND = Fraction(1, 1000)
_STEP = Fraction(1, 10)  # tolerance for the duration of the last packet


@dataclass(frozen=True)
class Run:
    """One run over an input: the output and its notes."""

    source: Path
    output: Path
    notes: list[str]

    def has_note(self, *words: str) -> bool:
        """Whether a note has all the words."""
        return any(all(word in note for word in words) for note in self.notes)


@dataclass(frozen=True)
class Row:
    """A property that an output is checked for.

    Attributes:
        name: for the page.
        kept: whether the output has it.
        words: that a note must have if not.
    """

    name: str
    kept: Callable[[Run], bool]
    words: tuple[str, ...]

    def cell(self, run: Run) -> str:
        """`yes`, `no, noted`, or lost without a note."""
        if self.kept(run):
            return YES
        return NOTED if run.has_note(*self.words) else LOST


def rich_clip(folder: Path) -> Path:
    """Matroska with text, fonts, a cover, chapters, tags, names of streams and a second video."""
    chapters = [("one", 0.0, 0.4), ("two", 0.4, 1.0)]
    tags = {"title": "A title", "weather": "wet"}
    plain = write_video(
        folder / "plain.mkv", size=(64, 48), audio=True, subtitles=True, cover=True, chapters=chapters, metadata=tags
    )
    second = write_video(folder / "second.mkv", size=(96, 64), frames=25)
    path = folder / "rich.mkv"
    with av.open(str(plain)) as one, av.open(str(second)) as other, av.open(str(path), "w") as output:
        output.metadata.update(tags)
        output.set_chapters(one.chapters())
        taken = [stream for stream in one.streams if not int(stream.disposition) & int(Disposition.attached_pic)]
        added: dict[Any, Any] = {s: output.add_stream_from_template(s, opaque=True) for s in [*taken, *other.streams]}
        (cover,) = (packet for packet in one.demux() if packet.size and packet.stream not in added)
        output.add_attachment("cover.png", "image/png", bytes(cover))
        output.add_attachment("font.ttf", "font/ttf", b"not really a font")
        one.seek(0)
        packets = [packet for each in (one, other) for packet in each.demux() if packet.size and packet.stream in added]
        for packet in sorted(packets, key=lambda each: (each.dts or 0) * each.time_base):
            packet.stream = added[packet.stream]
            output.mux(packet)
    return path


def _kinds(run: Run) -> list[str]:
    with av.open(str(run.output)) as container:
        return ["cover" if int(s.disposition) & int(Disposition.attached_pic) else s.type for s in container.streams]


def _same_payload(kind: str) -> Callable[[Run], bool]:
    def same(run: Run) -> bool:
        given, written = payloads(run.source, kind), payloads(run.output, kind)
        return [[digest for _, digest in one if digest] for one in given] == [
            [digest for _, digest in one] for one in written
        ]

    return same


def _container(look: Callable[[Any], bool]) -> Callable[[Run], bool]:
    def looked(run: Run) -> bool:
        with av.open(str(run.output)) as container:
            return look(container)

    return looked


def _tag(name: str) -> Callable[[Any], bool]:
    return lambda container: name in {key.casefold() for key in container.metadata}


def _has_side_data(*names: str) -> Callable[[Run], bool]:
    def has(run: Run) -> bool:
        before, after = side_data_of(decoded(run.source)[0]), side_data_of(decoded(run.output)[0])
        # FFmpeg reads no type of views in MP4, though it writes one.
        return set(names) <= before.keys() & after.keys() and not run.has_note("does not keep the")

    return has


def _within(tolerance: Fraction) -> Callable[[Run], bool]:
    def within(run: Run) -> bool:
        given, written = times(decoded(run.source)), times(decoded(run.output))
        start = given[0] - written[0] if written[0] != given[0] and run.has_note("moves all streams") else Fraction(0)
        pairs = zip(given, written, strict=True)
        return all(abs(before - after - start) <= tolerance for before, after in pairs)

    return within


def _colour(run: Run) -> bool:
    context = decoded(run.output)[0]
    return (int(context.color_primaries), int(context.color_trc), int(context.colorspace)) == (9, 16, 9)


def _ratio(container: Any) -> bool:
    return bool(container.streams.video[0].sample_aspect_ratio == Fraction(4, 3))


def _ten_bit(run: Run) -> bool:
    return "10" in decoded(run.output)[0].format.name


def _second_video(run: Run) -> bool:
    return _kinds(run).count("video") == 2


def sources(folder: Path) -> list[tuple[Path, list[Row]]]:
    """The inputs, and the properties that their outputs are checked for."""
    uneven = [0, 1283, 1799, 5119, 5623, 9221]
    picture = {"frames": 5, "size": (64, 48)}
    wide = write_video(folder / "wide.mp4", **picture, sample_aspect_ratio=Fraction(4, 3))  # type: ignore[arg-type]
    variable = write_video(folder / "variable.mp4", size=(64, 48), pts=uneven)
    late = write_video(folder / "late.mp4", size=(64, 48), frames=10, start_pts=12800, audio=True)
    hdr = write_hdr(folder / "hdr.mp4")
    sphere = write_matroska(folder / "sphere.mkv", element("53B8", b"\3"), projection(1, bytes(20)))
    spoken = write_user_data(folder / "spoken.ts", b"GA94\x03\x42\xff\xfc\x94\x2c\xfc\xc8\xe9\xff")
    text = write_video(folder / "text.mp4", size=(64, 48), subtitles=True)
    return [
        (variable, [Row("variable frame times, exact to the tick", _within(Fraction(0)), ("rounded",))]),
        (variable, [Row("variable frame times, to 1 ms", _within(_MILLISECOND), ("rounded",))]),
        (late, [Row("late start of the video", _within(_MILLISECOND), ("moved by",))]),
        (wide, [Row("sample aspect ratio", _container(_ratio), ("aspect ratio",))]),
        (
            hdr,
            [
                Row("10 bit", _ten_bit, ("encoded as",)),
                Row("colour tags (BT.2020, PQ)", _colour, ("does not store",)),
                Row("HDR10 mastering display and light level", _has_side_data(MASTERING, LIGHT), ("does not keep",)),
            ],
        ),
        (sphere, [Row("360 degree projection, stereo 3D", _has_side_data(SPHERICAL, STEREO), ("does not keep",))]),
        (spoken, [Row("closed captions (A/53)", lambda run: all(captions(run.output)), ("does not keep",))]),
        (
            clip_with_timecode(folder / "timecode.mov", "01:02:03:04", Fraction(25)),
            [Row("timecode", lambda run: timecodes_in(run.output) == {"01:02:03:04"}, ("timecode 01:02:03:04",))],
        ),
        (
            clip_with_data(folder / "gpmd.mp4", b"gpmd"),
            [Row("GoPro telemetry (`gpmd`)", lambda run: "data" in _kinds(run), ("(gpmd)",))],
        ),
        (
            clip_with_data(folder / "mebx.mov", b"mebx"),
            [Row("other data tracks (`mebx`, `camm`, ...)", lambda run: "data" in _kinds(run), ("(mebx)",))],
        ),
        (clip_with_klv(folder / "klv.ts", "klv"), [Row("KLV", lambda run: "data" in _kinds(run), ("(klv)",))]),
        (text, [Row("subtitles of mp4 (mov_text)", lambda run: "subtitle" in _kinds(run), ("(mov_text)",))]),
        (
            rich_clip(folder),
            [
                Row("subtitles of mkv (SubRip)", _same_payload("subtitle"), ("(subrip)",)),
                Row("second video", _second_video, ("video stream", "(h264)")),
                Row("cover picture", lambda run: "cover" in _kinds(run), ("(png)",)),
                Row("attachments (fonts)", _container(_has_font), ("font.ttf",)),
                Row("chapters", _container(lambda one: len(one.chapters()) == 2), ("chapters",)),
                Row("title", _container(_tag("title")), ("tags", "title")),
                Row("any other tag", _container(_tag("weather")), ("tags", "WEATHER")),
            ],
        ),
    ]


def _has_font(container: Any) -> bool:
    return any(isinstance(one, AttachmentStream) and one.data == b"not really a font" for one in container.streams)


def _annotated(source: Path, folder: Path, suffix: str) -> Run:
    output = folder / f"out{suffix}"
    _, sink = annotate(source, output, overwrite=True)
    return Run(source, output, sink.notes)


def measured_rows(folder: Path) -> list[list[str]]:
    """What is kept besides audio: a line of cells for each row."""
    lines = []
    for source, rows in sources(folder):
        cells: list[list[str]] = [[row.name] for row in rows]
        for suffix in SUFFIXES:
            run = _annotated(source, folder, suffix)
            for line, row in zip(cells, rows, strict=True):
                line.append(row.cell(run))
        lines += cells
    return lines


def _whole(given: Heard, written: Heard) -> bool:
    """Whether audio is the same, as long and decodable; MPEG-TS frames AAC again."""
    same = written.digest == given.digest or given.codec == "aac"
    lasts = abs((written.end - written.start) - (given.end - given.start)) <= _STEP
    return same and lasts and written.samples > 0


def measured_sounds(folder: Path) -> list[list[str]]:
    """The containers for each audio codec: a line of cells for each codec."""
    source = write_sounds(folder / "sounds.mkv", *ENCODERS)
    given = heard(source)
    lines = [[one.codec] for one in given]
    for suffix in SUFFIXES:
        run = _annotated(source, folder, suffix)
        written = iter(heard(run.output))
        for number, (line, one) in enumerate(zip(lines, given, strict=True), 1):
            note = next((note for note in run.notes if f"audio stream {number} (" in note), "")
            line.append(NOTED if note.endswith("left out") else _sound(one, next(written), note))
    return lines


def _sound(given: Heard, written: Heard, note: str) -> str:
    if _whole(given, written):
        return YES
    lasts = abs((written.end - written.start) - (given.end - given.start)) <= _STEP
    encoded = note.endswith(f"encoded as {written.codec}") and lasts
    return f"as {written.codec}" if encoded else LOST


def measured_gaps(folder: Path) -> list[list[str]]:
    """The result for audio that starts a second late or has a gap of a second."""
    lines = []
    for name, more in (("starts late", {"late_s": Fraction(1)}), ("has a gap", {"gap_s": Fraction(1)})):
        for encoder, what in (("libmp3lame", "compressed audio (MP3)"), ("pcm_s16le", "PCM")):
            source = write_sounds(folder / "gaps.mkv", encoder, **more)
            lines.append([f"{what} that {name}", *(_gap(_annotated(source, folder, one)) for one in SUFFIXES)])
    return lines


def _gap(run: Run) -> str:
    (given,), written = heard(run.source), heard(run.output)
    moved = times(decoded(run.output))[0]  # MPEG-TS begins a little later, with all streams
    in_time = bool(written) and abs(written[0].end - moved - given.end) <= _STEP
    if in_time and written[0].digest == given.digest:
        return YES
    if in_time and written[0].codec != given.codec and run.has_note(f"encoded as {written[0].codec}"):
        return f"as {written[0].codec}"
    if in_time:
        return "filled with silence"
    return NOTED if run.has_note("audio stream 1", "left out") else LOST


def table(lines: Iterable[list[str]]) -> str:
    """Markdown."""
    head = ["", *(suffix[1:] for suffix in SUFFIXES)]
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def page(folder: Path) -> str:
    """The whole page."""
    return _PAGE.format(
        pyav=av.__version__,
        ffmpeg=av.ffmpeg_version_info,
        sounds=table(measured_sounds(folder)),
        gaps=table(measured_gaps(folder)),
        rows=table(measured_rows(folder)),
    )


_PAGE = """# What each container keeps

The tables are measured, with PyAV {pyav} (FFmpeg {ffmpeg}): `python -m tests.sinks.muxing.containers` writes this page,
and a test fails when it is out of date. Each cell is a run with the default encoder of the container. "no, noted" means
that the property is lost, and that a line on the terminal and in `notes` of the report has the reason. Nothing is lost
without a note.

## Audio

Audio is copied packet by packet. Before the output is opened, the first packets of each stream are written to memory
and read back; a container holds a stream if the codec is the same, can be decoded and keeps its times. The result
depends a little on the input: here it is Matroska, which rounds times to 1 ms and does not store all codec parameters.

{sounds}

AVI stores no times of audio, and QuickTime and MP4 store none of PCM: players play it without a pause.

{gaps}

## Everything else

{rows}

* Frame times of mkv and webm are rounded to 1 ms, of AVI with a variable rate too; of mpegts to 1/90000 s.
* A video that starts before 0 is shifted to 0 with all other streams, which is noted.
* GoPro's telemetry keeps its samples, times and handler. FFmpeg writes no other data track so that programs can read
  it.
* H.264 in mov stores the packing of stereo views in its own stream; FFmpeg's muxer does not write it for other codecs.
* HDR10 metadata is written to the container, and by `libx264` and `libx265` also to the coded stream. `libx264`,
  `libx265`, `mpeg2video` and the hardware encoders write closed captions. HDR10+, Dolby Vision, AFD, SMPTE 12M
  timecodes of single frames and ICC profiles are noted if the encoder does not write them.
* Odd sizes with H.264 and HEVC are padded by one repeated row or column, which is noted; the frame's own samples do not
  change.

Default encoders: H.264 (`libx264`, superfast, crf 22) in mp4, mov and mkv; AV1 (`libsvtav1`, preset 10, crf 30) in
webm; MPEG-4 (quantiser 3) in avi. `output.options.movflags=faststart` puts the index of an mp4 first; it is off by
default because it writes the whole file a second time at the end.
"""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(page(Path(made)), encoding="utf-8")
