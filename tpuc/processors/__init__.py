"""Processors: facts as data. The only place that knows what a chip can do is its YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tpuc.errors import ConfigError

__all__ = ["FLOAT", "Processor", "load_processor"]


@dataclass(frozen=True)
class Processor:
    """Facts of one processor.

    Parameters
    ----------
    name : str
        As the manual spells it: bm1684x.
    chip : str
        Name in a bmodel: BM1684X.
    modes : tuple of str
        Types that the hardware computes in.
    built : tuple of str
        Those of `modes` that tpuc generates in this version.
    requant : str
        Form of INT8 requantization: `multiplier_shift`: 32-bit multiplier and shift, for each
        channel of a Conv (halves up) or a whole MatMul (halves away from zero); `shift_only`: one
        right shift for a whole weight (halves up), biases of 16 bits; `qdm`: 31-bit multiplier,
        a shift by 31 (halves up) and another one (halves away from zero), for each channel of a
        Conv or a whole MatMul, and truncated 7-bit multipliers elsewhere.
    float_type : str
        What `auto` means for float ops in an INT8 build.
    mix_types : tuple of str
        Float types that may stand beside integers in one build (`search.fp_type`).
    f32_bias : tuple of str
        Ops whose bias stays F32 in an F16 or BF16 op; that of others is rounded as the weights.
    float_ops : tuple of str
        Ops without an INT8 form here, though others have one.
    asymmetric : bool
        INT8 activations may have zero points.
    wide_products : bool
        A MatMul in INT8 that one Add or Softmax alone reads, to which the quantize table gives a
        float type, gives 16 bits.
    average : str
        AvgPool in INT8: `scaled` to the calibrated range of its output, or `reciprocal` of the
        window's size alone, in the range of its input, or `truncated`: scaled, by a multiplier
        that is cut, not rounded.
    unsigned : bool
        Activations that are never negative have an unsigned type.
    functions : str
        How functions of one float are computed: `exact`, rounded once, or from `bf16_tables`.
    casts : str
        What casts between integers and floats compute in: the `float` type itself, halves away
        from zero, or `bf16`, halves to even (but for the network's inputs, which are F32).
    patch_sides : tuple of int
        Least and largest kernel (0: any) of a Conv of patches that becomes a matrix product.
    lanes, lane_bytes, eu_bytes : int
        Local memory: lanes, bytes per lane, bytes a lane processes at once.
    int8_tops : float
        Peak of int8 multiply-adds, in 10**12 operations per second (two a multiply-add).
    int4_tops : float
        The same of int4; 0: not known, and counted as int8's, which it is at least.
    f16_tops, f32_tops : float
        The same of F16 (and BF16), and of F32; 0 where the hardware has none.
    instructions : str
        Form of the instructions that tpuc makes for it: `tiu_dma`, or '' for none.
    dram_gbps : float
        Peak of reading and writing the memory outside, 10**9 bytes per second; 0: not known.
    """

    name: str
    chip: str
    modes: tuple[str, ...]
    built: tuple[str, ...]
    requant: str
    float_type: str
    mix_types: tuple[str, ...] = ()
    f32_bias: tuple[str, ...] = ("Conv", "Deconv")
    float_ops: tuple[str, ...] = ()
    asymmetric: bool = False
    wide_products: bool = False
    average: str = "scaled"
    unsigned: bool = True
    casts: str = "float"
    functions: str = "exact"
    instructions: str = ""
    patch_sides: tuple[int, ...] = ()
    lanes: int = 0
    lane_bytes: int = 0
    eu_bytes: int = 0
    clock_mhz: int = 0
    int8_tops: float = 0.0
    int4_tops: float = 0.0
    f16_tops: float = 0.0
    f32_tops: float = 0.0
    dram_gbps: float = 0.0
    cores: int = 1
    sources: tuple[str, ...] = field(default_factory=tuple)

    def require(self, mode: str) -> None:
        """Check that a build in `mode` is possible.

        Raises
        ------
        ConfigError : the hardware lacks the type, or this version does not generate it yet
        """
        if mode not in self.modes:
            raise ConfigError(
                f"quantize.mode: {self.name} has no {mode}; it has {', '.join(self.modes)}"
            )
        if mode not in self.built:
            can = ", ".join(self.built) or "nothing yet"
            raise ConfigError(
                f"quantize.mode: {mode} for {self.name} is not available in this version; "
                f"available: {can}. Hint: processor=bm1684x"
            )

    def peak(self, kind: str) -> float:
        """Most operations of a type in a second, 10**12; 0: not known."""
        four = self.int4_tops or self.int8_tops
        known = {"INT4": four, "INT8": self.int8_tops, "F32": self.f32_tops}
        return known.get(kind, self.f16_tops)

    def require_peaks(self, key: str, kinds: tuple[str, ...]) -> None:
        """Check that what `key` counts cycles with is known: memory, and the peak of each type.

        Raises
        ------
        ConfigError : names the facts that the YAML does not give
        """
        names = {"INT4": "int8_tops", "INT8": "int8_tops", "F32": "f32_tops"}
        facts = [names.get(k, "f16_tops") for k in kinds if self.peak(k) <= 0]
        facts += ["dram_gbps"] if self.dram_gbps <= 0 else []
        if facts:
            hint = " ".join(f"++processor.{f}=NUMBER" for f in dict.fromkeys(facts))
            raise ConfigError(
                f"{key} needs facts of {self.name} that its YAML does not give: "
                f"{', '.join(dict.fromkeys(facts))}. Hint: {hint}"
            )

    def require_zero_points(self, key: str) -> None:
        """Check that INT8 activations may have zero points, as `key` asks for.

        Raises
        ------
        ConfigError : they may not
        """
        if not self.asymmetric:
            raise ConfigError(
                f"{key}: {self.name} has no zero points; it has symmetric INT8 only. "
                "Hint: processor=bm1684x"
            )


FLOAT = Processor("float", "", ("F32",), ("F32",), "multiplier_shift", "F32", ("F32",))
"""What the float network itself runs on."""


def load_processor(facts: Mapping[str, Any]) -> Processor:
    """Make a Processor from the mapping in its YAML file.

    Raises
    ------
    ConfigError : a fact is missing or unknown
    """
    known = set(Processor.__dataclass_fields__)
    unknown = sorted(set(facts) - known)
    if unknown:
        raise ConfigError(f"processor: unknown fact '{unknown[0]}'; expected {sorted(known)}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()}
    try:
        return Processor(**values)
    except TypeError as error:
        raise ConfigError(f"processor '{facts.get('name', '?')}': {error}") from error
