"""The charts of organs as the site fills them: what their tests share, whichever chart it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from llmflow_bundle.model import Organ
from llmflow_installer.plan import site_variables
from llmflow_installer.site import Site
from ruamel.yaml import YAML

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
DIGEST = f"sha256:{'a' * 64}"


def merged(values: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """`values` with those in `changed`, at any depth, being others."""
    both = {
        key: merged(values.get(key, {}), value) for key, value in changed.items() if isinstance(value, dict)
    }
    return values | changed | both


def filled(site: Site, organ: str, name: str, given: dict[str, Any], **sizes: Any) -> str:
    """A template of the organ as Ansible fills it for a site, `sizes` being what is unlike in the site.

    `given` are the variables that an install adds: images, secrets, certificates.
    """
    folders = [str(PLAYBOOKS / "organs" / organ), str(PLAYBOOKS / "roles/organ/templates")]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 - YAML, not HTML
    )
    environment.filters |= {"to_json": json.dumps, "hash": hashed}
    changed = replace(site.organs[organ], **sizes)
    variables = site_variables(replace(site, organs={**site.organs, organ: changed}))
    environment.globals["lookup"] = lambda _plugin, path: f"content of {path}"
    return environment.get_template(name).render(
        site=variables,
        organ_name=organ,
        organ_site=variables["organs"][organ],
        organ_manifest="kind: Secret",
        **given,
    )


def references(organs: Iterable[str]) -> Iterator[str]:
    """Every image that these organs make; a template that names another one fails."""
    for name in organs:
        yield from (image.ref for image in organ_of(name).supply.packages.images)


def pinned(organs: Iterable[str]) -> dict[str, str]:
    """Each image by its reference, with a digest."""
    return {ref: f"{ref}@{DIGEST}" for ref in references(organs)}


def organ_of(name: str) -> Organ:
    """An organ as its folder says."""
    return Organ.model_validate(YAML(typ="safe").load(PLAYBOOKS / "organs" / name / "organ.yaml"))


def hashed(text: str, algorithm: str) -> str:
    """As Ansible's filter `hash`."""
    return hashlib.new(algorithm, text.encode()).hexdigest()
