"""The names of dataset2metadata: of models, outputs and DataComp's columns, and what they are here."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAPTION", "DATACOMP_KEYS", "DEPENDENCIES", "MODELS", "OUTPUTS", "ModelOrigin", "OutputName"]


class ModelOrigin(NamedTuple):
    """A model of dataset2metadata.

    Attributes:
        kind: The kind of extractor that runs it.
        origin: Where its weights are had.
    """

    kind: str
    origin: str

    def extractor(self, name: str) -> str:
        """Return the name of the extractor of the model with a name."""
        return f"{self.kind}:{name}"


_RELEASE = "release v0.1.0-alpha of mlfoundations/dataset2metadata on GitHub"

MODELS = {
    "oai-clip-vit-b32": ModelOrigin("clip", "openai/clip-vit-base-patch32 on Hugging Face"),
    "oai-clip-vit-l14": ModelOrigin("clip", "openai/clip-vit-large-patch14 on Hugging Face"),
    "nsfw-detoxify": ModelOrigin("detoxify", "unitary/multilingual-toxic-xlm-roberta on Hugging Face"),
    "nsfw-image-oai-clip-vit-l-14": ModelOrigin("nsfw-clip-head", f"nsfw_torch.pt in {_RELEASE}"),
    "dedup-isc-ft-v107": ModelOrigin("copy", "isc_ft_v107 of lyakaap/ISC21-Descriptor-Track-1st on GitHub"),
    "faces-scrfd10g": ModelOrigin("scrfd", "scrfd_10g of InsightFace, exported to ONNX"),
}
"""The models by name."""

DEPENDENCIES = {"nsfw-image-oai-clip-vit-l-14": ("oai-clip-vit-l14",)}
"""The models whose results a model needs."""


class OutputName(NamedTuple):
    """An output of a model.

    Attributes:
        model: The model.
        ending: How the name of the column or vector of its extractor ends.
        is_vector: Whether it is a vector.
    """

    model: str
    ending: str
    is_vector: bool = False


OUTPUTS = {
    "oai-clip-vit-b32-score": OutputName("oai-clip-vit-b32", "_score"),
    "oai-clip-vit-l14-score": OutputName("oai-clip-vit-l14", "_score"),
    "nsfw-detoxify-score": OutputName("nsfw-detoxify", "_score"),
    "nsfw-image-score": OutputName("nsfw-image-oai-clip-vit-l-14", "_score"),
    "dedup-isc-ft-v107-score": OutputName("dedup-isc-ft-v107", "_max"),
    "face-boxes": OutputName("faces-scrfd10g", "face_bboxes"),
    "oai-clip-vit-b32-image": OutputName("oai-clip-vit-b32", "_img", is_vector=True),
    "oai-clip-vit-b32-text": OutputName("oai-clip-vit-b32", "_txt", is_vector=True),
    "oai-clip-vit-l14-image": OutputName("oai-clip-vit-l14", "_img", is_vector=True),
    "oai-clip-vit-l14-text": OutputName("oai-clip-vit-l14", "_txt", is_vector=True),
    "dedup-isc-ft-v107-image": OutputName("dedup-isc-ft-v107", "_img", is_vector=True),
}
"""The outputs by name."""

CAPTION = "caption"

DATACOMP_KEYS = {
    "oai-clip-vit-b32-score": "clip_b32_similarity_score",
    "oai-clip-vit-l14-score": "clip_l14_similarity_score",
    "face-boxes": "face_bboxes",
    "oai-clip-vit-b32-image": "b32_img",
    "oai-clip-vit-b32-text": "b32_txt",
    "oai-clip-vit-l14-image": "l14_img",
    "oai-clip-vit-l14-text": "l14_txt",
    "dedup-isc-ft-v107-score": "dedup",
    # dataset2metadata keeps this name, but DataComp's filters read the other.
    CAPTION: "text",
}
"""DataComp's names of outputs and fields."""
