# Call it through `normalisation.normalise`.
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_PerChannel: TypeAlias = tuple[float, float, float]

def normalise(
    pixels: NDArray[np.uint8],
    out: NDArray[np.float32] | NDArray[np.uint16],
    divisor: float,
    mean: _PerChannel,
    std: _PerChannel,
    /,
) -> None: ...
