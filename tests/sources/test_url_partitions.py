"""The partitions of URLs, dealt by server."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.sources.url_partitions import UrlPartitions, partitions_together, server_of

URLS = st.text("ab.:/?#@[]\t A1", max_size=14) | st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "HTTPS", " https"]),
    st.text("aB.:@[]%1", max_size=8),
    st.text("/?#:a", max_size=6),
)


@given(URLS)
def test_the_server_is_the_host_of_the_url(url: str) -> None:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    assert server_of(url) == host.rstrip(".")


@given(st.lists(URLS, max_size=8), st.integers(1, 40), st.integers(1, 40))
def test_a_url_is_in_the_same_pair_of_two_divisions(urls: list[str], first: int, second: int) -> None:
    one, other = UrlPartitions(first), UrlPartitions(second)
    pairs = list(partitions_together(one, other))
    for url in urls:
        assert one.partition_of(url) in one.names()
        [both] = [pair for pair in pairs if one.partition_of(url) in pair[0]]
        assert other.partition_of(url) in both[1]
