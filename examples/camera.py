"""Watch a camera: print once per second what is visible, and how old the shown frame is.

    python examples/camera.py                        # the first webcam
    python examples/camera.py rtsp://camera/stream1
    python examples/camera.py clip.mp4               # a file, played like a camera

Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys
import time

import streamer


def watch(source: str, detector: str, seconds: float) -> int:
    """Print one line per second; returns the number of shown frames."""
    shown, next_line_s = 0, time.monotonic() + 1
    ends_s = time.monotonic() + seconds
    # `live` plays a file at its own speed and drops frames, like a camera; cameras are live anyway.
    with streamer.open(source, detector=detector, settings={"source.live": True}) as scenes:
        for scene in scenes:
            shown += 1
            now_s = time.monotonic()
            if now_s >= next_line_s:
                next_line_s = now_s + 1
                names = sorted(item.label for item in scene.objects)
                age_ms = 1000 * (now_s - scene.frame.captured_s)
                print(f"{scene.frame.time_s:7.2f} s  {scene.fps:4.1f} fps  {age_ms:4.0f} ms old  {', '.join(names)}")
            if now_s > ends_s:
                break
    return shown


def main() -> None:
    """Parse the options and watch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="0")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    try:
        print(f"{watch(options.source, options.detector, options.seconds)} frames shown")
    except streamer.StreamerError as error:  # one line that names the camera and the remedy
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
