"""A delivered text file as a stream of checked bytes: unpacked, and refused at the first byte that is not UTF-8."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path
from typing import IO

from contracts.errors import InputFileError

UTF8_MARK = codecs.BOM_UTF8
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP_MAGIC = b"\x1f\x8b"


class TextStream:
    """What pyarrow and the header reader need of a file: `read`, `close`, `closed`.

    Errors name a byte offset in the unpacked text, never the text. Whatever goes wrong is kept in `failure`, because
    a reader in between may wrap it.
    """

    def __init__(self, path: Path) -> None:
        self._stream = _open(path)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._offset = 0
        self.closed = False
        self.failure: InputFileError | None = None

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes.

        Raises:
            InputFileError: the archive is damaged, or a byte is not UTF-8.
        """
        try:
            block = self._stream.read(size)
            self._check(block)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._failed("The compressed file is cut short or damaged.", "a whole gzip file") from error
        return block

    def _check(self, block: bytes) -> None:
        pending = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            offset = self._offset - pending + error.start
            raise self._failed(f"The file is not UTF-8 text from byte {offset} on.", "UTF-8") from None
        self._offset += len(block)

    def _failed(self, what: str, expected: str) -> InputFileError:
        self.failure = InputFileError(what, expected=expected, todo="ask the sender for the file again.")
        return self.failure

    def close(self) -> None:
        self._stream.close()
        self.closed = True


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    """Unpacked when the bytes say gzip, whatever the name says.

    Raises:
        InputFileError: empty, or UTF-16.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start:
        raise InputFileError("The file is empty.", expected="a header and rows", actual="0 bytes")
    if start.startswith(_UTF16_MARKS):
        raise InputFileError("The file is not UTF-8 text from byte 0 on.", expected="UTF-8", actual="UTF-16")
    if start.startswith(_GZIP_MAGIC):
        return gzip.open(path, "rb")
    if path.name.lower().endswith(".gz"):
        raise InputFileError("The file is named .gz but is not a gzip file.", expected="a gzip file")
    return path.open("rb")
