# See `normal.normalise`, which checks nothing: this does.
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Three: TypeAlias = tuple[float, float, float]

def normalise(
    pixels: NDArray[np.uint8],
    out: NDArray[np.float32] | NDArray[np.uint16],
    whole: float,
    means: _Three,
    deviations: _Three,
    /,
) -> None: ...
