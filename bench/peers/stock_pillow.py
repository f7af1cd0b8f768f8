"""Convert photos with the stock Pillow of another environment, on request.

`PYTHON stock_pillow.py FOLDER LONGEST QUALITY [draft]` reads the folder's photos. For every line on
stdin it converts all of them and writes a line to stdout. It imports nothing but Pillow.
"""

import io
import sys
from pathlib import Path

import PIL
from PIL import Image, features


def convert(data: bytes, longest: int, quality: int, *, draft: bool) -> None:
    """Decode, scale to the longest side with the antialiased bilinear filter, and encode."""
    image = Image.open(io.BytesIO(data))
    scale = min(1.0, longest / max(image.size))
    width, height = (max(1, int(side * scale + 0.5)) for side in image.size)
    if draft:
        image.draft("RGB", (width, height))
    small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    small.save(io.BytesIO(), "JPEG", quality=quality, subsampling="4:2:0")


def main(folder: str, longest: str, quality: str, *more: str) -> None:
    """Print the versions, then convert on request."""
    photos = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    turbo = features.version("libjpeg_turbo")
    sys.stdout.write(f"Pillow {PIL.__version__}, libjpeg-turbo {turbo}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        for data in photos:
            convert(data, int(longest), int(quality), draft="draft" in more)
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
