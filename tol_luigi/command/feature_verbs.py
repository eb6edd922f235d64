"""The subcommands on features: ``tol features``, ``tol select`` and ``tol search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.command.argument_types import nonempty, positive, runs
from tol_luigi.command.parser_parts import add_json, add_overrides, add_run, add_subcommand

if TYPE_CHECKING:
    from tol_luigi.command.parser_parts import Subcommands

__all__ = ["add_features", "add_search", "add_select"]


def add_features(subcommands: Subcommands) -> None:
    """Add ``tol features``."""
    result = add_subcommand(
        subcommands,
        "features",
        "features:features",
        brief="compute features of the samples: hashes, quality, scores, vectors",
        text="Build all that [features] asks for: features, near-duplicates, the index; and\n"
        "what is missing of the dataset. What is up to date is kept: a further extractor\n"
        "computes its own columns only.\n"
        "Or run a job of dataset2metadata (--yml), or write the features of the dataset\n"
        "in the layout of another tool (--export).\n"
        "exit codes: 0 all of it exists, 30 a task has failed, 40 wrong settings",
        example="tol features --set features.profile=light -j 4\n"
        "  tol features --yml job.yml --models oai-clip-vit-b32=models/vit-b32\n"
        "  tol features models\n"
        "  tol features --export datacomp --output metadata",
    )
    result.add_argument(
        "models_only",
        metavar="models",
        nargs="?",
        choices=("models",),
        action=runs("features_models:features_models"),
        help="list the extractors and models: what is there, what is missing, and where it is had",
    )
    result.add_argument(
        "--yml",
        metavar="FILE",
        type=Path,
        action=runs("features_yml:features_yml"),
        help="a file of settings of dataset2metadata, whose tars are read instead of the dataset",
    )
    result.add_argument(
        "--models",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="a model for --yml, by its name there; may be repeated",
    )
    result.add_argument(
        "--export",
        metavar="FORMAT",
        choices=("datacomp", "d2m", "clip-retrieval", "emb-explorer"),
        action=runs("features_export:features_export"),
        help="write what is computed for datacomp, d2m, clip-retrieval or emb-explorer",
    )
    result.add_argument(
        "--to-onnx",
        metavar="MODEL",
        action=runs("features_onnx:features_onnx"),
        help="write a CLIP model of [features] models as ONNX files, which need no PyTorch",
    )
    result.add_argument("--output", metavar="FOLDER", type=Path, help="the folder for --export or --to-onnx")
    result.add_argument(
        "--model",
        metavar="NAME",
        help="the model whose vectors --export writes, if several have been computed",
    )
    add_run(result, "features")


def add_select(subcommands: Subcommands) -> None:
    """Add ``tol select``."""
    result = add_subcommand(
        subcommands,
        "select",
        "select:select",
        brief="copy chosen samples to shards of their own",
        text="Choose samples with the rules of [filter] and the limits of [select], and copy\n"
        "them, as they are encoded, to <dataset>/<size>/<name>. The other shards are not\n"
        "changed.\n"
        "exit codes: 0 the selection exists, 30 a task has failed, 40 wrong settings",
        example="tol select --dry-run\n  tol select --set select.name=balanced -j 4",
    )
    result.add_argument("--dry-run", action="store_true", help="count only: by rule, and what is selected")
    result.add_argument(
        "--remove",
        metavar="NAME",
        type=nonempty,
        action=runs("select:remove"),
        help="remove the files of a selection that [select] name no longer names",
    )
    add_json(result)
    add_run(result, "select")


def add_search(subcommands: Subcommands) -> None:
    """Add ``tol search``."""
    result = add_subcommand(
        subcommands,
        "search",
        "search:search",
        brief="find samples by image, id, taxon or text",
        text="Find the samples with the nearest vectors in the index of [features] index, and\n"
        "print score (cosine), id, shard and taxon.\n"
        "exit codes: 0 found, 1 nothing is found",
        example="tol search --image my.jpg\n  tol search --taxon Bombus -n 20 --json",
    )
    queries = result.add_mutually_exclusive_group(required=True)
    queries.add_argument("--image", metavar="FILE", type=Path, help="samples that look like this image")
    queries.add_argument("--id", metavar="ID", type=nonempty, help="samples that look like this one")
    queries.add_argument(
        "--taxon",
        metavar="NAME",
        type=nonempty,
        help="samples near the mean of a taxon: a rank, genus and species, or a common name",
    )
    queries.add_argument(
        "--text", metavar="TEXT", type=nonempty, help="samples near a text, if the model has a side for texts"
    )
    result.add_argument(
        "-n", "--count", type=positive, metavar="N", default=10, help="how many (default: 10)"
    )
    add_overrides(result)
    add_json(result)
