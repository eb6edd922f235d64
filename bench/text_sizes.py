"""How many bytes of the shards of a dataset are images, and how many would they take with their texts in one JSON member?"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from tol_luigi import Dataset
from tol_luigi.core.sample_texts import encoded_texts
from tol_luigi.core.samples import IMAGE
from tol_luigi.core.shards import sample_record


def sizes(folder: Path) -> Counter[str]:
    """Return the bytes of all images, and of all samples in both forms."""
    found: Counter[str] = Counter()
    for sample in Dataset.open(folder).samples():
        found["samples"] += 1
        found["images"] += len(sample.image_file)
        for form in ("files", "json"):
            members = {**encoded_texts(sample.texts, is_json=form == "json"), IMAGE: sample.image_file}
            found[form] += len(sample_record(sample.id, members))
    return found


def main() -> None:
    """Print a line for each dataset."""
    parser = argparse.ArgumentParser(description=str(__doc__))
    parser.add_argument("datasets", metavar="FOLDER", type=Path, nargs="+", help="a dataset, <root>/<tag>")
    for folder in parser.parse_args().datasets:
        found = sizes(folder)
        each = {name: found[name] / found["samples"] / 1000 for name in ("images", "files", "json")}
        shown = ", ".join(f"{name} {size:.1f} kB" for name, size in each.items())
        saved = 1 - found["json"] / found["files"]
        print(f"{folder}: {found['samples']:,} samples; {shown} a sample; json saves {saved:.1%}")


if __name__ == "__main__":
    main()
