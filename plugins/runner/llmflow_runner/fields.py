"""What is wrong with the fields that people fill in: forms of models, settings, parameters of whatever takes some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmflow_bundle.errors import Finding

from llmflow_runner.datasources import DatasourceParameter
from llmflow_runner.declaration import (
    SCOPED,
    AgentParameter,
    FormField,
    Manifest,
    ModelProvider,
    NamedSetting,
    OAuth,
    Parameter,
    Place,
    Setting,
)
from llmflow_runner.triggers import EventParameter

AnyParameter = Parameter | AgentParameter | DatasourceParameter | EventParameter
Field = Setting | AnyParameter

LONGEST_OPTION = 127  # letters of a value to choose
ABOUT = {"vision", "document", "tool-call"}  # words of a scope that say what a model can, not what it is


def form_findings(provider: ModelProvider, place: Place) -> Iterator[Finding]:
    """The forms of a model provider."""
    for name in ("provider_credential_schema", "model_credential_schema"):
        if form := getattr(provider, name):
            there = place.below(name, "credential_form_schemas")
            yield from _form_findings(form.credential_form_schemas, there)


def setting_findings(
    settings: Mapping[str | int, tuple[str, Setting]], place: Place, manifest: Manifest
) -> Iterator[Finding]:
    """The credentials of a provider or the settings of endpoints: name and field, by their steps below `place`."""
    yield from _twice([name for name, _ in settings.values()], "fields", place)
    for step, (name, field) in settings.items():
        yield from _field_findings(name, field, place.below(step), manifest)


def listed(settings: Sequence[NamedSetting]) -> dict[str | int, tuple[str, Setting]]:
    """Settings that are a list, as `setting_findings` takes them."""
    return {index: (setting.name, setting) for index, setting in enumerate(settings)}


def oauth_findings(schema: OAuth | None, place: Place, manifest: Manifest) -> Iterator[Finding]:
    """What signing in elsewhere asks for."""
    if schema:
        for name in ("client_schema", "credentials_schema"):
            yield from setting_findings(listed(getattr(schema, name)), place.below(name), manifest)


def parameter_findings(
    parameters: Sequence[AnyParameter], place: Place, manifest: Manifest
) -> Iterator[Finding]:
    """The parameters of a tool, a strategy, a datasource or an event."""
    yield from _twice([parameter.name for parameter in parameters], "parameters", place)
    for index, parameter in enumerate(parameters):
        there = place.below(index)
        if isinstance(parameter, Parameter) and parameter.form == "llm" and not parameter.llm_description:
            yield there.wrong(
                f"A language model is to fill in {parameter.name}, but is not told what it is",
                "say it in llm_description",
            )
        least, most = parameter.min, parameter.max
        if least is not None and most is not None and least > most:
            yield there.wrong(f"{parameter.name} goes from {least} down to {most}")
        yield from _field_findings(parameter.name, parameter, there, manifest)


def kinds_of(scope: str) -> list[str]:
    """The model permissions that a selector of this scope needs: `tool-call&llm` is about a language model."""
    words = _words(scope) - ABOUT
    return sorted(word.replace("-", "_") for word in words or {"llm"})


def _field_findings(name: str, field: Field, place: Place, manifest: Manifest) -> Iterator[Finding]:
    """Options where one selects, a scope where one is read, and permission for the models that are chosen."""
    yield from _option_findings(name, field, place)
    scope = None if isinstance(field, DatasourceParameter) else field.scope
    if field.type in SCOPED or scope is not None:
        yield from _scope_findings(name, field.type, scope, place)
    if field.type != "model-selector":
        return
    for kind in kinds_of(scope or "llm"):
        if not manifest.resource.allows_model(kind):
            there = Place(place.files, "manifest.yaml", ("resource", "permission", "model"))
            yield there.wrong(f"The field {name} needs resource.permission.model.{kind}", "set it to true")


def _scope_findings(name: str, type_: str, scope: str | None, place: Place) -> Iterator[Finding]:
    known = SCOPED.get(type_)
    if known is None:
        yield place.wrong(f"The field {name} of type {type_} takes no scope")
        return
    if not _words(scope or "") and (scope is not None or type_ == "model-selector"):
        yield place.wrong(f"The field {name} chooses a {type_.partition('-')[0]} of no kind: give it a scope")
    for word in sorted(_words(scope or "") - known):
        yield place.wrong(
            f"The scope of the field {name} knows no {word}", f"it knows {', '.join(sorted(known))}"
        )


def _form_findings(fields: Sequence[FormField], place: Place) -> Iterator[Finding]:
    names = [field.variable for field in fields]
    yield from _twice(names, "fields", place)
    for index, field in enumerate(fields):
        there = place.below(index)
        yield from _option_findings(field.variable, field, there)
        for condition in field.show_on:
            if condition.variable not in {*names, "__model_type"}:
                yield there.wrong(f"The field {field.variable} waits for {condition.variable}, which is none")


def _option_findings(name: str, field: FormField | Field, place: Place) -> Iterator[Finding]:
    values = [option.value for option in field.options]
    if field.type in ("select", "radio") and not values:
        yield place.wrong(f"The field {name} has nothing to select from")
    chosen = field.default if isinstance(field.default, tuple) else (field.default,)
    if values and set(chosen) - {None, *values}:
        yield place.wrong(f"The default of the field {name} is not among its options")
    yield from _twice(values, f"options of the field {name}", place)
    for index, value in enumerate(values):
        if len(value) > LONGEST_OPTION:
            what = f"An option of the field {name} has more than {LONGEST_OPTION} letters"
            yield place.below("options", index).wrong(what)


def _twice(names: Sequence[str], of: str, place: Place) -> Iterator[Finding]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield place.wrong(f"There are two {of} called {name}")


def _words(scope: str) -> set[str]:
    return {word.strip() for word in scope.split("&")} - {""}
