"""What a job computes: its extractors, and which of their columns and vectors are its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.d2m.custom import CustomModels, Wanted, load_custom
from tol_luigi.features.d2m.fields import JsonFields
from tol_luigi.features.d2m.names import DATACOMP_KEYS, DEPENDENCIES, MODELS, OUTPUTS
from tol_luigi.features.extractor import Options, fingerprints
from tol_luigi.features.registry import resolve
from tol_luigi.features.usable import Output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tol_luigi.features.d2m.custom import CustomFile
    from tol_luigi.features.d2m.jobs import Job
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.models import Model

__all__ = ["Work", "work_of"]


@dataclass(frozen=True)
class Work:
    """What a job computes.

    Attributes:
        extractors: The extractors, each after those that it depends on.
        prints: Their fingerprints by name.
        columns: The columns of the Parquet file.
        features: The arrays of the npz file.
    """

    extractors: tuple[Extractor, ...]
    prints: dict[str, str]
    columns: tuple[Output, ...]
    features: tuple[Output, ...]


def work_of(job: Job, models: Mapping[str, Model], device: str = "cpu") -> Work:
    """Return what a job computes.

    Args:
        job: The job.
        models: The models that the user has; those of dataset2metadata by their names there.
        device: Where they run.

    Raises:
        SettingsError: A model, an output or a package is unknown or missing.
    """
    custom = load_custom(job.custom)
    own, custom_models = _models(job, custom)
    _validate_models(job, [name for name in own if name in MODELS], models)
    options = Options(models=models, device=device, threads=job.threads)
    names = {name: MODELS[name].extractor(name) if name in MODELS else name for name in own}
    extractors = resolve(dict.fromkeys(names.values()), options)
    if job.fields:
        extractors.append(JsonFields(job.fields))
    wanted = Wanted(
        tuple(custom_models),
        tuple(name for name in job.columns if name in custom.columns),
        tuple(name for name in job.features if name in custom.features),
    )
    if any(wanted):
        by_name = {one.name: one for one in extractors}
        others = {name: by_name[extractor] for name, extractor in names.items()}
        extractors.append(CustomModels(custom, wanted, others, options))
    finder = _Finder(job, extractors, custom)
    columns = [finder.column(name) for name in job.columns] + [finder.field(name) for name in job.fields]
    features = [finder.feature(name) for name in job.features]
    for key, outputs in (
        ("postprocess_columns, additional_fields", columns),
        ("postprocess_features", features),
    ):
        given = [one.name for one in outputs]
        if repeated := sorted({name for name in given if given.count(name) > 1}):
            where = f"{job.file}: {key}"
            raise SettingsError(where, f"two of them are called {', '.join(repeated)}", "Remove one")
    return Work(tuple(extractors), fingerprints(extractors), tuple(columns), tuple(features))


def _models(job: Job, custom: CustomFile) -> tuple[list[str], list[str]]:
    """Return the models that are ours and those of the user's file, with the ones that outputs and models need."""
    wanted = list(job.models)
    own_functions = {**custom.columns, **custom.features}
    for name in (*job.columns, *job.features):
        model = OUTPUTS[name].model if name in OUTPUTS else ""
        if model and (model in custom.models or name not in own_functions):
            wanted.append(model)
    wanted += [need for name in wanted for need in DEPENDENCIES.get(name, ()) if name not in custom.models]
    for name in (name for name in wanted if name in custom.models):
        needs = getattr(custom.models[name], "dependencies", ())
        wanted += [need for need in needs if need not in wanted]
    wanted = list(dict.fromkeys(wanted))
    own = [name for name in wanted if name not in custom.models]
    return own, [name for name in wanted if name in custom.models]


def _validate_models(job: Job, names: Sequence[str], models: Mapping[str, Model]) -> None:
    """Raise an error that names all models that are missing."""
    if missing := [name for name in names if name not in models]:
        what = f"no weights are known of {', '.join(missing)}"
        places = "; ".join(f"{name}: {MODELS[name].origin}" for name in missing)
        remedy = f"Pass --models {missing[0]}=PATH, or set [features] models, for each ({places})"
        raise SettingsError(f"{job.file}: models", what, remedy)


class _Finder:
    """Finds outputs by dataset2metadata's names, or by the names of our columns and vectors."""

    def __init__(self, job: Job, extractors: Sequence[Extractor], custom: CustomFile) -> None:
        self._job, self._extractors, self._custom = job, extractors, custom

    def _renamed(self, name: str) -> str:
        return DATACOMP_KEYS.get(name, name) if self._job.datacomp_keys else name

    def field(self, name: str) -> Output:
        return Output(self._renamed(name), "json-fields", "fields", key=name)

    def column(self, name: str) -> Output:
        if name in self._custom.columns:
            return Output(self._renamed(name), "custom", "values", key=name)
        return self._find(name, "postprocess_columns", is_vector=False)

    def feature(self, name: str) -> Output:
        if name in self._custom.features:
            return Output(self._renamed(name), "custom", f"feature {name}", is_required=True)
        return self._find(name, "postprocess_features", is_vector=True)

    def _find(self, name: str, key: str, *, is_vector: bool) -> Output:
        candidates = self._candidates(is_vector=is_vector)
        if name in OUTPUTS and OUTPUTS[name].is_vector == is_vector:
            model, ending, _ = OUTPUTS[name]
            extractor = MODELS[model].extractor(model)
            found = [one for one in candidates if one[0] == extractor and one[1].endswith(ending)][:1]
        else:
            found = [one for one in candidates if one[1] == name]
        if len(found) == 1:
            return Output(
                self._renamed(name), *found[0], is_vector=is_vector, is_required=is_vector or name in OUTPUTS
            )
        where = f"{self._job.file}: {key}"
        if name in OUTPUTS and OUTPUTS[name].is_vector == is_vector:
            what = f"{name} is not computed by {OUTPUTS[name].model} as it is set up"
            raise SettingsError(where, what, "Give it the reference images that it compares with")
        valid = sorted(
            {column for _, column in candidates}
            | {one for one in OUTPUTS if OUTPUTS[one].is_vector == is_vector}
        )
        what = f"several extractors have {name}" if found else f"there is no {name}"
        raise SettingsError(where, what, f"Valid are {', '.join(valid)}")

    def _candidates(self, *, is_vector: bool) -> list[tuple[str, str]]:
        return [
            (extractor.name, one.name)
            for extractor in self._extractors
            if extractor.name not in ("json-fields", "custom")
            for one in (extractor.vectors if is_vector else extractor.columns)
        ]
