"""How likely a caption is offensive, apart from common names of taxa that only sound so."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.features.extractor import Extractor
from tol_luigi.features.packages import Package
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Profanity", "without"]

_PACKAGE = Package("alt-profanity-check", "text-safety")

HIGH = 0.4
"""The score from which a text may be offensive; lower than the package's 0.5, with which a "great tit" is just not."""

_WORD = re.compile(r"\w+")


@register("profanity")
class Profanity(Extractor):
    """The score of a caption, 0 to 1, without the phrases that are allowed.

    These are the common name of the taxon of the sample, its member ``common_name.txt``, and those of the options.
    ``profanity_allowlisted`` means that only these phrases made it high.
    """

    reads_text = True
    columns = (pa.field("profanity_score", pa.float32()), pa.field("profanity_allowlisted", pa.bool_()))

    def identity(self) -> dict[str, Any]:
        """Return the version of the package, which has the model, and the SHA-256 of what is allowed."""
        allowed = "\n".join(sorted(self.options.allowed))
        return {
            "alt-profanity-check": _PACKAGE.version(self.name),
            "scikit-learn": Package("scikit-learn", _PACKAGE.extra).version(self.name),
            "allowed": hashlib.sha256(allowed.encode()).hexdigest(),
        }

    def load(self) -> None:
        """Load the model, and the allowed phrases."""
        self._probabilities = _PACKAGE.module("profanity_check", self.name).predict_prob
        self._allowed = frozenset(map(_key, self.options.allowed)) - {""}
        self._longest = max((phrase.count(" ") + 1 for phrase in self._allowed), default=0)

    def prepare(self, sample: FeatureSample) -> tuple[str, str]:
        """Return the caption of a sample, and the caption without allowed phrases."""
        own = _key(sample.text_named("common_name.txt") or "")
        allowed = self._allowed | {own} if own else self._allowed
        return sample.text, without(sample.text, allowed, max(self._longest, own.count(" ") + 1))

    def run(self, batch: list[tuple[str, str]], before: Mapping[str, Columns]) -> Columns:
        """Return the scores of a batch."""
        del before
        scores = self._scores([rest for _, rest in batch])
        changed = [text for text, rest in batch if text != rest]
        complete = dict(zip(changed, self._scores(changed), strict=True))
        return {
            "profanity_score": scores,
            "profanity_allowlisted": [
                score < HIGH <= complete.get(text, score)
                for (text, _), score in zip(batch, scores, strict=True)
            ],
        }

    def _scores(self, texts: list[str]) -> list[float]:
        return [float(score) for score in self._probabilities(texts)] if texts else []


def _key(phrase: str) -> str:
    return " ".join(_WORD.findall(phrase.lower()))


def without(text: str, allowed: Iterable[str], longest: int) -> str:
    """Return a text without allowed phrases; at each word the longest one is removed.

    Args:
        text: The text.
        allowed: The phrases: words in lower case with one space between; a set, since it may have millions.
        longest: How many words the longest of them has.
    """
    allowed = allowed if isinstance(allowed, frozenset) else frozenset(allowed)
    words = list(_WORD.finditer(text))
    lower = [word[0].lower() for word in words]
    kept, end, first = [], 0, 0
    while first < len(words):
        ends = range(min(first + longest, len(words)), first, -1)
        last = next((last for last in ends if " ".join(lower[first:last]) in allowed), first)
        if last > first:
            kept.append(text[end : words[first].start()])
            end = words[last - 1].end()
        first = max(last, first + 1)
    return "".join((*kept, text[end:]))
