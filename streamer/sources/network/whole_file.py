"""Fetching a file from a web server that gives it only as a whole. Called by the thread that opens the source."""

from __future__ import annotations

import tempfile
from typing import IO

from streamer.errors import SourceUnavailable

_TIMEOUT_S = 15.0
_PIECE_BYTES = 1 << 20


def gives_parts(url: str, authorities: str | bool = True) -> bool:
    """Whether the server gives a part of what is at an address when it is asked for one (RFC 9110, section 14).

    Args:
        url: with all secrets.
        authorities: the file of those that may vouch for the server; False to trust whoever answers.
    """
    import requests  # here, for it takes 30 ms that few runs need

    try:
        asked = {"Range": "bytes=0-0"}
        with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUT_S, verify=authorities) as answer:
            return answer.status_code == requests.codes.partial_content
    except requests.RequestException:
        return True  # then that is not what is wrong


def fetched(url: str, name: str, authorities: str | bool = True) -> IO[bytes]:
    """What is at an address, in a temporary file that vanishes when it is closed.

    Args:
        url: with all secrets.
        name: what to call it in an error.
        authorities: as of `gives_parts`.

    Raises:
        SourceUnavailable: the server breaks off, or the disk has no room for it.
    """
    import requests

    file = tempfile.NamedTemporaryFile(prefix="streamer-")  # noqa: SIM115 - the caller closes it
    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT_S, verify=authorities) as answer:
            answer.raise_for_status()
            for piece in answer.iter_content(_PIECE_BYTES):
                file.write(piece)
        file.flush()
    except requests.RequestException as error:
        file.close()
        raise SourceUnavailable(f"{name}: fetching it broke off; try again", "fetching") from error
    except OSError as error:
        file.close()
        why = f"no room for it on the disk ({error.strerror}); free some space, or set TMPDIR to another folder"
        raise SourceUnavailable(f"{name}: {why}") from error
    return file
