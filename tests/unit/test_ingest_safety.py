import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from squall.safety import MAX_IMAGE_BYTES, ImageInfo, UnsafeError, check_image


def encoded(form: str, size: tuple[int, int] = (40, 30)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (20, 90, 160)).save(out, form)
    return out.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(("form", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_image_is_described(form: str, media_type: str) -> None:
    assert check_image(encoded(form)) == ImageInfo(media_type, 40, 30)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (png_that_claims(10_000, 10_000), "too large|10000x10000"),
        (png_that_claims(5_000, 10), "5000x10 pixels"),
        (png_that_claims(2_000_000, 2_000_000), "too large|pixels"),
        (encoded("GIF"), "neither a PNG nor a JPEG"),
        (encoded("BMP"), "neither a PNG nor a JPEG"),
        (b"", "neither a PNG nor a JPEG"),
        (b"<svg onload='x()'/>", "neither a PNG nor a JPEG"),
        (encoded("PNG")[:-30], "damaged"),
        (encoded("JPEG")[:200], "damaged"),
        (encoded("PNG") + b"\0" * MAX_IMAGE_BYTES, "bytes"),
    ],
)
def test_image_is_refused(image: bytes, reason: str) -> None:
    with pytest.raises(UnsafeError, match=reason):
        check_image(image)
