"""Draw the forms of a plugin as Dify shows them, from its YAML: one SVG for each type of model or agent
strategy, or for credentials.

    python docs/form.py plugins/vllm            # writes plugins/vllm/_assets/form-<type>.svg
    python docs/form.py --check plugins/vllm    # says which pictures are out of date, and exits with 1

`make forms` draws those of all plugins.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from rich.cells import cell_len, set_cell_size
from ruamel.yaml import YAML

WIDTH, MARGIN, ROW, BOX = 560, 28, 70, 36  # pixels
CELL = 6.4  # pixels that a column of text takes
COLUMNS = int((WIDTH - 2 * MARGIN - 48) / CELL)
TITLES = {
    "llm": "LLM",
    "text-embedding": "Text Embedding",
    "rerank": "Rerank",
    "moderation": "Moderation",
}
FONT = "Inter, 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"
INK, SOFT, FAINT, LINE, FIELD, ACCENT, NEEDED = (
    "#101828", "#354052", "#98a2b2", "#e9ebf0", "#f2f4f7", "#155aef", "#d92d20",
)  # fmt: skip


def pictures(plugin: Path) -> dict[Path, str]:
    """The picture of each form of a plugin, by the file that it belongs into."""
    (provider_file,) = (plugin / "provider").glob("*.yaml")
    provider = YAML(typ="safe", pure=True).load(provider_file.read_text(encoding="utf-8"))
    folder = plugin / "_assets"
    if "credentials_for_provider" in provider:
        fields = list(provider["credentials_for_provider"].values())
        return {
            folder / "form-credentials.svg": _drawn(
                provider["identity"]["label"]["en_US"], "Credentials", fields
            )
        }
    if "strategies" in provider:
        return {
            folder / f"form-{Path(name).stem}.svg": _strategy(plugin / name)
            for name in provider["strategies"]
        }
    return {folder / f"form-{kind}.svg": _draw(provider, kind) for kind in provider["supported_model_types"]}


def _strategy(file: Path) -> str:
    strategy = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    return _drawn(strategy["identity"]["label"]["en_US"], "Agent node", strategy["parameters"])


def _draw(provider: dict[str, Any], kind: str) -> str:
    schema = provider["model_credential_schema"]
    name = {**schema["model"], "required": True, "type": "text-input"}
    fields = [name, *(f for f in schema["credential_form_schemas"] if _shown(f, kind))]
    return _drawn(f"Add {provider['label']['en_US']}", f"Model type: {TITLES[kind]}", fields)


def _drawn(title: str, below: str, fields: list[dict[str, Any]]) -> str:
    height = 92 + len(fields) * ROW + 64
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="{FONT}">',
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="16" fill="#fff" stroke="{LINE}"/>',
        _text(MARGIN, 44, title, 20, INK, bold=True),
        _text(MARGIN, 68, below, 13, SOFT),
        *(line for row, field in enumerate(fields) for line in _field(field, 92 + row * ROW)),
        _button(WIDTH - MARGIN - 164, height - 52, "Cancel", "#fff", SOFT),
        _button(WIDTH - MARGIN - 76, height - 52, "Save", ACCENT, "#fff"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _shown(field: dict[str, Any], kind: str) -> bool:
    """Whether a field is shown for a type of model before anything is filled in."""
    conditions = [c["value"] for c in field.get("show_on") or () if c["variable"] == "__model_type"]
    return not conditions or kind in conditions


def _field(field: dict[str, Any], y: int) -> Iterator[str]:
    star = f'<tspan fill="{NEEDED}"> *</tspan>' if field.get("required") else ""
    yield _text(MARGIN, y + 16, field["label"]["en_US"], 13, SOFT, bold=True, after=star)
    yield f'<rect x="{MARGIN}" y="{y + 24}" width="{WIDTH - 2 * MARGIN}" height="{BOX}" rx="8" fill="{FIELD}"/>'
    value, colour = _value(field)
    yield _text(MARGIN + 12, y + 24 + 23, _fitting(value), 13, colour)
    right = WIDTH - MARGIN - 22
    if field["type"] == "select":
        yield f'<path d="M{right - 5} {y + 40}l5 5 5-5" fill="none" stroke="{SOFT}" stroke-width="1.5"/>'
    if field["type"] == "secret-input":
        yield f'<circle cx="{right}" cy="{y + 42}" r="3" fill="none" stroke="{FAINT}" stroke-width="1.5"/>'
        yield f'<path d="M{right - 8} {y + 42}q8-9 16 0q-8 9-16 0" fill="none" stroke="{FAINT}" stroke-width="1.5"/>'


def _value(field: dict[str, Any]) -> tuple[str, str]:
    """What stands in a field at first, and its colour: the default, or what the placeholder says."""
    default = field.get("default")
    if default is None:
        hint = field.get("placeholder") or field.get("help") or {}
        return hint.get("en_US", ""), FAINT
    labels = {option["value"]: option["label"]["en_US"] for option in field.get("options") or ()}
    return str(labels.get(default, default)), INK


def _fitting(text: str) -> str:
    return text if cell_len(text) <= COLUMNS else set_cell_size(text, COLUMNS - 1).rstrip() + "…"


def _text(
    x: float, y: float, text: str, size: int, colour: str, *, bold: bool = False, after: str = ""
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{weight}>{escape(text)}{after}</text>'
    )


def _button(x: int, y: int, text: str, fill: str, colour: str) -> str:
    box = f'<rect x="{x}" y="{y}" width="76" height="32" rx="8" fill="{fill}" stroke="{LINE}"/>'
    return f'{box}<text x="{x + 38}" y="{y + 21}" font-size="13" fill="{colour}" text-anchor="middle">{text}</text>'


def main() -> int:
    """Draw, or check, the forms of the plugins named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("plugins", nargs="+", type=Path)
    wanted = parser.parse_args()
    stale = False
    for plugin in wanted.plugins:
        for path, picture in pictures(plugin).items():
            if path.is_file() and path.read_text(encoding="utf-8") == picture:
                continue
            stale = True
            if wanted.check:
                sys.stderr.write(f"out of date: {path}; draw it again with `make forms`\n")
            else:
                path.write_text(picture, encoding="utf-8")
    return int(stale and wanted.check)


if __name__ == "__main__":
    sys.exit(main())
