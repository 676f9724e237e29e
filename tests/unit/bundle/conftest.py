"""The small bundle that these tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.workshop import Workshop, make_workshop


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("workshop")
        patch.setenv("LLMFLOW_CONFIG", str(folder / "config"))
        yield make_workshop(folder)


@pytest.fixture(scope="module")
def built(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, for tests that only look at it."""
    return workshop.build(tmp_path_factory.mktemp("built") / "bundle")


@pytest.fixture
def bundle(workshop: Workshop, tmp_path: Path) -> Path:
    """A bundle of this test alone."""
    return workshop.build(tmp_path / "bundle")
