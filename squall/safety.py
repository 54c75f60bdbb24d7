"""Guards for what comes from outside: addresses, downloads, images."""

import warnings
from io import BytesIO
from typing import NamedTuple

MAX_IMAGE_BYTES = 512 * 1024
MAX_IMAGE_SIDE = 4096
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}


class UnsafeError(ValueError):
    """Something from outside is refused; the message is one line that says why."""


class ImageInfo(NamedTuple):
    """A checked image: its media type, width and height in pixels."""

    media_type: str
    width: int
    height: int


def check_image(image: bytes) -> ImageInfo:
    """Verify a PNG or JPEG image; its size is taken from the header before anything is decoded.

    Raises:
        UnsafeError: too many bytes or pixels, another format, or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    if len(image) > MAX_IMAGE_BYTES:
        raise UnsafeError(f"image of {len(image)} bytes, {MAX_IMAGE_BYTES} at most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(BytesIO(image), formats=tuple(MEDIA_TYPES)) as opened:
                if max(opened.size) > MAX_IMAGE_SIDE:
                    raise UnsafeError(_too_large(*opened.size))
                opened.load()
                return ImageInfo(MEDIA_TYPES[str(opened.format)], *opened.size)
    except UnsafeError:
        raise
    except UnidentifiedImageError:
        raise UnsafeError("neither a PNG nor a JPEG image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnsafeError(f"image too large: {error}") from None
    except Exception as error:
        raise UnsafeError(f"damaged image: {error}") from None


def _too_large(width: int, height: int) -> str:
    return f"image of {width}x{height} pixels, {MAX_IMAGE_SIDE}x{MAX_IMAGE_SIDE} at most"
