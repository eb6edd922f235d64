"""What a build is reckoned to cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tol_luigi.report.estimate import (
    BuildEstimate,
    DiskSpace,
    OutputSettings,
    RemainingWork,
    SourceStats,
    StagePlan,
    estimate_cost,
    full_estimate,
)
from tol_luigi.report.estimate_text import estimate_text

MAKING = OutputSettings(224, 224, 100, "exact", 10_000, 5, 10, 900_000_000)
EOL = SourceStats(
    "eol",
    "/data/eol",
    6_600_000,
    1_900_000_000_000,
    is_archive=True,
    is_counted=False,
    partitions=63,
    bytes_per_pixel=0.21,
    at_least=1000,
)
STAGES = ["ScanPartition", "PredictCatalog", "WriteShards"]


def test_a_published_source_costs_what_its_size_lets_expect() -> None:
    estimated = estimate_cost([EOL], MAKING, {"eol": full_estimate(EOL, MAKING)}, STAGES)
    assert estimated.samples == 6_600_000 + 627_000
    assert estimated.shard_bytes == pytest.approx(estimated.samples * 56_564)
    hours = sum(estimated.core_seconds.values()) / 3600
    assert 10 < hours < 40


def test_scaling_is_faster_on_large_pictures_and_makes_no_difference_to_small_ones() -> None:
    def seconds(stock: SourceStats, resize: str) -> float:
        output = replace(MAKING, resize=resize)
        return estimate_cost([stock], output, {"eol": full_estimate(stock, output)}, STAGES).core_seconds[
            "WriteShards and CheckShards"
        ]

    large = replace(EOL, megapixels=4.0)
    assert seconds(large, "scaled") < seconds(large, "exact") * 0.7
    small = replace(EOL, megapixels=0.1)
    assert seconds(small, "scaled") == seconds(small, "exact")


def test_scaling_is_slower_where_pillow_resizes_what_the_decoder_leaves() -> None:
    def seconds(output: OutputSettings) -> float:
        large = replace(EOL, megapixels=4.0)
        estimated = estimate_cost([large], output, {"eol": full_estimate(large, output)}, STAGES)
        return estimated.core_seconds["WriteShards and CheckShards"]

    scaled = replace(MAKING, resize="scaled")
    by_pillow = replace(scaled, is_compiled=False)
    assert seconds(scaled) < seconds(by_pillow) < seconds(replace(by_pillow, resize="exact"))


def test_compiled_code_takes_about_half_the_time_of_pillow() -> None:
    def seconds(output: OutputSettings) -> float:
        return sum(
            estimate_cost([EOL], output, {"eol": full_estimate(EOL, output)}, STAGES).core_seconds.values()
        )

    assert 0.4 < seconds(MAKING) / seconds(replace(MAKING, is_compiled=False)) < 0.65


def test_pixels_that_ledgers_tell_count_and_not_the_guess() -> None:
    assert EOL.mean_megapixels == pytest.approx(1.37, abs=0.01)
    assert replace(EOL, megapixels=3.0).mean_megapixels == 3.0


def test_hashing_costs_a_scan_and_the_hashes_of_its_sources_alone() -> None:
    def seconds(stages: list[str], hashed: set[str]) -> dict[str, float]:
        left = {"eol": full_estimate(EOL, MAKING)}
        return estimate_cost([EOL], MAKING, left, stages, hashed).core_seconds

    found = seconds([*STAGES, "HashPartition"], {"eol"})
    assert found["HashPartition"] == pytest.approx(found["ScanPartition"] + EOL.bytes / 1.7e9)
    assert seconds([*STAGES, "HashPartition"], {"bioscan"})["HashPartition"] == 0
    assert "HashPartition" not in seconds(STAGES, set())


def test_what_is_written_costs_nothing_more() -> None:
    estimated = estimate_cost([EOL], MAKING, {"eol": RemainingWork(0, 0, 0)}, [])
    assert (estimated.samples, estimated.bytes, estimated.files, estimated.core_seconds) == (0, 0, 0, {})


@pytest.mark.parametrize(
    ("quality", "smaller"), [pytest.param(75, 90, id="75 and 90"), pytest.param(92, 95, id="92 and 95")]
)
def test_a_lower_quality_takes_less_room(quality: int, smaller: int) -> None:
    sizes = [
        estimate_cost(
            [EOL], replace(MAKING, quality=each), {"eol": full_estimate(EOL, MAKING)}, STAGES
        ).shard_bytes
        for each in (quality, smaller, 100)
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("room", "lacks"),
    [
        pytest.param(DiskSpace("/data", 10**13, 10**9), "", id="enough"),
        pytest.param(DiskSpace("/data", 10**9, 10**9), "free: 1.0 GB", id="no bytes"),
        pytest.param(DiskSpace("/data", 10**13, 10), "not enough inodes", id="no files"),
        pytest.param(DiskSpace("/data", 10**13, None, 10**9), "not enough disk quota", id="no quota"),
    ],
)
def test_too_little_room_is_told(room: DiskSpace, lacks: str) -> None:
    estimate = BuildEstimate(
        "/data/x", [], [EOL], estimate_cost([EOL], MAKING, {"eol": full_estimate(EOL, MAKING)}, STAGES), room
    )
    assert bool(estimate.lacks) == bool(lacks)
    assert all(lacks in line for line in estimate.lacks)
    assert "eol     ~6,600,000  ~1.90 TB          63  estimated, at least 1,000\n" in estimate_text(estimate)


@pytest.mark.parametrize(
    ("source", "shown", "to_write"),
    [
        pytest.param(
            replace(EOL, is_counted=True), "  all files", "to write   7,227,000 samples, ", id="all"
        ),
        pytest.param(
            replace(EOL, error=0.08),
            "  estimated, ±8 %",
            "to write   ~7,227,000 samples, ~408.8 GB, ±8 %\n",
            id="range",
        ),
        pytest.param(
            EOL,
            "  estimated, at least 1,000",
            "to write   ~7,227,000 samples, ~408.8 GB, or many more\n",
            id="no range",
        ),
        pytest.param(
            replace(EOL, is_listed=True, error=1.0),
            "  6,600,000  ~1.90 TB          63  all images, bytes ±100 %",
            "to write   ~7,227,000 samples, ~408.8 GB, ±100 %\n",
            id="to be fetched",
        ),
    ],
)
def test_counted_is_only_what_was_counted_and_estimates_have_a_range(
    source: SourceStats, shown: str, to_write: str
) -> None:
    cost = estimate_cost([source], MAKING, {"eol": full_estimate(source, MAKING)}, STAGES)
    stages = [StagePlan("WriteShards", 1, 0)]
    text = estimate_text(BuildEstimate("/data/x", stages, [source], cost, DiskSpace("/data", 10**13, None)))
    assert next(line for line in text.splitlines() if line.startswith("eol")).endswith(shown)
    assert to_write in text


def test_hours_are_shown_where_there_are_some() -> None:
    few = replace(EOL, images=10, bytes=10_000_000)
    texts = [
        estimate_text(
            BuildEstimate(
                "/data/x",
                [StagePlan("WriteShards", 1, 0)],
                [source],
                estimate_cost([source], MAKING, {"eol": full_estimate(source, MAKING)}, STAGES),
                DiskSpace("/data", 10**13, None),
            )
        )
        for source in (EOL, few)
    ]
    assert "core-hours" in texts[0]
    assert "core-hours" not in texts[1]
    assert " 0.0 " not in texts[1]


def test_webp_takes_less_room_and_more_time_than_jpeg() -> None:
    forms = [MAKING, replace(MAKING, format="webp"), replace(MAKING, format="webp", quality="lossless")]
    left = {"eol": full_estimate(EOL, MAKING)}
    jpeg, webp, lossless = (estimate_cost([EOL], form, left, STAGES) for form in forms)
    assert webp.shard_bytes < jpeg.shard_bytes < lossless.shard_bytes
    seconds = [sum(one.core_seconds.values()) for one in (jpeg, webp, lossless)]
    assert seconds == sorted(set(seconds))


def test_a_further_size_adds_its_images_and_their_time_but_no_decoding() -> None:
    left = {"eol": full_estimate(EOL, MAKING)}
    other = replace(MAKING, width=448, height=448)
    both = replace(MAKING, further_sizes=[(448, 448)])
    found, one, more = (estimate_cost([EOL], output, left, STAGES) for output in (both, MAKING, other))
    assert found.shard_bytes == pytest.approx(one.shard_bytes + more.shard_bytes)
    seconds = [sum(each.core_seconds.values()) for each in (one, found)]
    assert seconds[0] < seconds[1] < 2 * seconds[0]
