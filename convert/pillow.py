"""Which distribution gives the installed PIL, and which instructions it was compiled for.

pillow-simd and Pillow install the same package, `PIL`. Installed together, one overwrites files of
the other, and removing either removes `PIL`.
"""

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from convert.errors import ConfigError

# Opcode prefixes of the instructions that pillow-simd is written in. AVX2 is the three-byte VEX
# prefix of map 0F38 with 256-bit registers, as in VPMOVZX; SSSE3 and SSE4.1 the legacy prefix of
# the same map, as in PSHUFB. How often they occur in _imaging (extensions are built with the flags
# of their Python: -O3, where the compiler adds many of its own, or -O2, as Debian's):
#                                          VEX.256.66.0F38   66.0F38
#   pillow-simd, -mavx2, at -O3 and -O2         1100,  40      0,   0
#   pillow-simd, default, -O3 and -O2              0,   0   2060, 231
#   Pillow 11.3 and 13.0, wheels                   0,   0      1,   0
# Three given bytes occur 0.2 times in 3 random MB: ten occurrences are no accident.
AVX2, SSE4 = b"\xc4\xe2\x7d", b"\x66\x0f\x38"
LEAST_COUNT = 10

REMEDY = (
    "remove both with `python -m pip uninstall -y pillow pillow-simd`, then install one: "
    "`make test` in a checkout does, or `CC='cc -mavx2' python -m pip install --no-cache-dir "
    "--no-binary pillow-simd pillow-simd`"
)


class PillowClashError(ConfigError):
    """pillow-simd and Pillow are both installed, and PIL is a mixture of them."""


@dataclass(frozen=True, slots=True)
class Pillow:
    """The distribution that owns PIL.

    Attributes:
        distribution: pillow-simd or pillow.
        instructions: AVX2, SSE4, or nothing: what resizing was compiled for.
    """

    distribution: str
    version: str
    instructions: str

    def describe(self) -> str:
        """Name, version and instructions in one line.

        >>> Pillow("pillow-simd", "12.1.1.post0", "AVX2").describe()
        'pillow-simd 12.1.1.post0 (AVX2)'
        >>> Pillow("pillow", "13.0.0", "").describe()
        'pillow 13.0.0 (no SIMD: resizing takes about five times as long)'
        """
        return f"{self.distribution} {self.version} ({self.instructions or NO_SIMD})"


NO_SIMD = "no SIMD: resizing takes about five times as long"


def instructions_in(extension: bytes) -> str:
    """Name the instruction set that a compiled _imaging uses: AVX2, SSE4 or nothing."""
    if extension.count(AVX2) >= LEAST_COUNT:
        return "AVX2"
    return "SSE4" if extension.count(SSE4) >= LEAST_COUNT else ""


def live_pillow() -> Pillow:
    """The distribution that `import PIL` imports. It reads the compiled extension, which is slow.

    Raises:
        PillowClashError: both distributions are installed where PIL is.
        ConfigError: PIL is missing, has no compiled part, or belongs to no distribution.
    """
    try:
        spec = importlib.util.find_spec("PIL._imaging")
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise ConfigError(f"PIL is missing or damaged; {REMEDY}")
    package = Path(spec.origin).parent
    # Another PIL further down sys.path is shadowed and no clash.
    owners = [
        (name, installed.version)
        for name in ("pillow-simd", "pillow")
        for installed in importlib.metadata.distributions(name=name)
        if Path(str(installed.locate_file("PIL"))) == package
    ]
    if len(owners) > 1:
        both = " and ".join(f"{name} {version}" for name, version in owners)
        raise PillowClashError(f"{both} are both installed in {package.parent}; {REMEDY}")
    if not owners:
        raise ConfigError(f"{package} belongs to neither pillow-simd nor Pillow; {REMEDY}")
    [(name, version)] = owners
    return Pillow(name, version, instructions_in(Path(spec.origin).read_bytes()))
