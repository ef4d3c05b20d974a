"""JPEG pictures are found by their markers, however the stream is split and whatever is between them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.sources.network.http.jpeg_parts import JpegParts
from tests.sources.network.http.http_cameras import jpeg

PICTURES = [jpeg(number, thumbnail=number == 2) for number in range(4)]


def found(stream: bytes, sizes: list[int]) -> list[bytes]:
    """The pictures found in a stream that arrives in pieces of these sizes, repeated."""
    parts, pictures, at, turn = JpegParts(), list[bytes](), 0, 0
    while at < len(stream):
        piece = stream[at : at + sizes[turn % len(sizes)]]
        pictures += parts.feed(piece)
        at, turn = at + len(piece), turn + 1
    return pictures


def multipart(pictures: list[bytes], length: int | None = None) -> bytes:
    heads = [
        f"--x\r\nContent-Type: image/jpeg\r\nContent-Length: {length or len(picture)}\r\n\r\n" for picture in pictures
    ]
    return b"".join(head.encode() + picture + b"\r\n" for head, picture in zip(heads, pictures, strict=True))


@settings(deadline=None, max_examples=50)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5), noise=st.binary(max_size=40))
def test_pieces_may_have_any_size(sizes: list[int], noise: bytes) -> None:
    noise = noise.replace(b"\xff", b"")
    assert found(multipart(PICTURES), sizes) == PICTURES
    assert found(noise.join([b"", *PICTURES, b""]), sizes) == PICTURES


@pytest.mark.parametrize("length", [1, 100, 10**9])
def test_a_wrong_length_makes_no_difference(length: int) -> None:
    assert found(multipart(PICTURES, length), [1000]) == PICTURES


def test_parts_without_a_picture_are_skipped() -> None:
    sound = PICTURES[0][:50]
    part = f"--x\r\nContent-Type: audio/basic\r\nContent-Length: {len(sound)}\r\n\r\n".encode() + sound + b"\r\n"
    assert found(part + multipart(PICTURES) + part + multipart(PICTURES), [777]) == PICTURES * 2


def test_a_truncated_picture_does_not_affect_others() -> None:
    cut = PICTURES[0][: len(PICTURES[0]) // 2]
    assert found(multipart([cut, *PICTURES[1:]]), [512])[1:] == PICTURES[1:]
    endless = [picture[:-2] for picture in PICTURES]
    assert found(multipart(endless), [512]) == endless[:4][: len(found(multipart(endless), [512]))]
    assert len(found(multipart(endless), [512])) >= 3


def test_noise_is_dropped() -> None:
    noise = random.Random(3).randbytes(1 << 20)
    assert len(found(noise, [4096])) < 5
    assert found(noise.replace(b"\xff\xd8\xff", b"") + PICTURES[0], [4096])[-1:] == [PICTURES[0]]
