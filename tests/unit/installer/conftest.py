from pathlib import Path

import pytest
from llmflow_bundle.report import Recording
from llmflow_installer.site import Site, load_site
from llmflow_installer.supplies import Supplies
from llmflow_installer.work import InstallOrder
from llmflow_installer.world import FakeAnsible
from support.stand import FakeClock, FakeHosts, Stand, copy_of, some_supplies


@pytest.fixture
def site_directory(tmp_path: Path) -> Path:
    return copy_of("three-node", tmp_path / "site")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that nobody changes; its directory is one that nobody else has."""
    return load_site(copy_of("three-node", tmp_path_factory.mktemp("site") / "site"))


@pytest.fixture
def supplies(tmp_path: Path) -> Supplies:
    return some_supplies(tmp_path / "bundle")


@pytest.fixture
def stand(site_directory: Path, supplies: Supplies, tmp_path: Path) -> Stand:
    order = InstallOrder(site_directory, supplies.path)
    return Stand(order, FakeAnsible(), FakeHosts(), FakeClock(), Recording(), tmp_path / "state", supplies)
