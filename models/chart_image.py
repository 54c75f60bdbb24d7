"""A chart's image as the encoder reads it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from squall.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, Any]

SIZE = 224
MAX_PIXELS = 4096 * 4096


class ChartError(UserError):
    """The image cannot be read as a chart; the message says why."""


def read_image(content: bytes) -> Array:
    """A PNG or JPEG as the encoder reads it, (3, 224, 224) uint8; what is transparent becomes white.

    Raises:
        ChartError: it is neither, damaged, or has more than 16 million pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ChartError(f"the image has {image.width} x {image.height} pixels, more than {MAX_PIXELS}")
            shown = image.convert("RGBA")
    except ChartError:
        raise
    except UnidentifiedImageError:
        raise ChartError("no PNG or JPEG image") from None
    except Image.DecompressionBombError:
        raise ChartError(f"the image has more than {MAX_PIXELS} pixels") from None
    except Exception:
        raise ChartError("the PNG or JPEG image is damaged or cut off") from None
    page = Image.new("RGBA", shown.size, "white")
    page.alpha_composite(shown)
    return as_input(page.convert("RGB"))


def as_input(image: Image.Image) -> Array:
    """An RGB image of any size as (3, 224, 224) uint8."""
    from PIL import Image

    small = image if image.size == (SIZE, SIZE) else image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1).copy()
