from pathlib import Path

import pytest
from llmflow_bundle.errors import SiteError
from llmflow_installer.engines import ENGINES
from llmflow_installer.plan import site_variables
from llmflow_installer.site import Served, load_site
from ruamel.yaml import YAML
from support.stand import EXAMPLES, copy_of

CASES = Path(__file__).resolve().parents[2] / "cases/site"
KEYS = {"why", "hosts", "site", "findings"}


def case_files() -> list[Path]:
    return sorted(CASES.glob("*.yaml"))


@pytest.mark.parametrize("file", case_files(), ids=lambda file: file.stem)
def test_case(file: Path, tmp_path: Path) -> None:
    """A case is a site and the findings it must have, each with id, place and some words of its text."""
    case = YAML(typ="safe").load(file)
    assert case.keys() <= KEYS
    assert case["why"]
    directory = copy_of("three-node", tmp_path / "site")
    for name in ("hosts", "site"):
        if name in case:
            (directory / f"{name}.yml").write_text(case[name], encoding="utf-8")
    found = findings_of(directory)
    assert [(id_, place) for id_, place, _ in found] == [
        (wanted["id"], wanted["at"]) for wanted in case["findings"]
    ]
    for (_, _, text), wanted in zip(found, case["findings"], strict=True):
        assert wanted["says"] in text


def findings_of(directory: Path) -> list[tuple[str, str, str]]:
    """Id, place and text of each finding, of a site that can't be installed or of one that can."""
    try:
        findings = load_site(directory).warnings
    except SiteError as error:
        findings = error.findings
    return [(one.id, Path(one.where).name, f"{one.what} {one.hint}") for one in findings]


@pytest.mark.parametrize("example", ["single-node", "three-node"])
def test_examples_are_sound(example: str, tmp_path: Path) -> None:
    site = load_site(copy_of(example, tmp_path / "site"))
    assert site.name == example
    assert site.warnings == ()
    assert site.ssh.private_key == tmp_path / "site/ssh/id_ed25519"


def test_an_example_can_be_read_without_its_keys() -> None:
    assert load_site(EXAMPLES / "three-node", check_files=False).name == "three-node"


def test_defaults(tmp_path: Path) -> None:
    site = load_site(copy_of("single-node", tmp_path / "site"))
    assert site.cluster.endpoint == "10.77.0.2:6443"
    assert site.registry.endpoint == "10.77.0.2:5000"
    assert site.registry.host == "cp1"
    assert str(site.hosts[0].pod_cidr) == "10.244.0.0/24"


@pytest.mark.parametrize(
    ("organs", "chosen"),
    [
        ("", ("vllm",)),
        ("organs: {}", ()),
        ("organs: {vllm: {}}", ("vllm",)),
        ("organs: {vllm: null}", ()),
        ("organs: {infinity: {}, vllm-embedding: {}}", ("vllm-embedding", "infinity")),
    ],
)
def test_only_organs_that_are_named_are_chosen(organs: str, chosen: tuple[str, ...], tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    (directory / "site.yml").write_text(
        f"name: a\nnetwork: {{hosts: 10.78.0.0/24, gateway: 10.78.0.1}}\n{organs}\n"
    )
    site = load_site(directory)
    assert tuple(site.organs) == chosen
    assert tuple(site_variables(site)["organs"]) == chosen


def test_every_engine_can_be_chosen_and_has_a_port_of_its_own(tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    chosen = ", ".join(f"{organ}: {{}}" for organ in ENGINES)
    (directory / "site.yml").write_text(
        f"name: a\nnetwork: {{hosts: 10.78.0.0/24, gateway: 10.78.0.1}}\norgans: {{{chosen}}}\n"
    )
    site = load_site(directory)
    assert site.organs.keys() == ENGINES.keys()
    assert len({served.node_port for served in site.organs.values()}) == len(ENGINES)
    assert site.warnings == ()


@pytest.mark.parametrize(
    ("cpu", "millicores", "threads"), [("1", 500, 1), ("2500m", 1250, 2), ("250m", 125, 1), ("0.5", 250, 1)]
)
def test_half_of_the_processor_is_promised(cpu: str, millicores: int, threads: int) -> None:
    served = Served(replicas=1, node_port=30800, cpu=cpu, memory="1Gi")
    assert (served.millicores, served.threads) == (millicores, threads)


def test_both_forms_of_inventory_are_the_same(tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    before = load_site(directory)
    (directory / "hosts.yml").write_text(
        "workers: {hosts: {worker1: {ansible_host: 10.78.0.3}, worker2: {ansible_host: 10.78.0.4}}}\n"
        "control_plane: {hosts: {cp1: {ansible_host: 10.78.0.2}}}\n"
    )
    assert load_site(directory) == before


def test_a_gpu_host_may_be_a_worker_too(tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    with (directory / "hosts.yml").open("a") as file:
        file.write("    gpu: {hosts: {worker2: , gpu1: {ansible_host: 10.78.0.5}}}\n")
    site = load_site(directory)
    assert [(host.name, host.groups) for host in site.hosts[1:]] == [
        ("worker1", ("workers",)),
        ("worker2", ("workers", "gpu")),
        ("gpu1", ("gpu",)),
    ]


@pytest.mark.parametrize("missing", ["hosts.yml", "site.yml"])
def test_a_directory_that_is_no_site(missing: str, tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    (directory / missing).unlink()
    with pytest.raises(SiteError) as caught:
        load_site(directory)
    assert caught.value.id == "SITE-NOT-FOUND"
    assert missing in caught.value.what


@pytest.mark.parametrize(
    ("text", "id_", "place"),
    [
        pytest.param("name: [", "SITE-YAML", "site.yml:1:8", id="unclosed"),
        pytest.param("name: a\nname: b\n", "SITE-YAML", "site.yml:2:1", id="key-twice"),
        pytest.param("- name\n", "SITE-YAML", "site.yml:1:1", id="not-a-mapping"),
        pytest.param("", "SITE-YAML", "site.yml:1:1", id="empty"),
    ],
)
def test_what_is_not_yaml(text: str, id_: str, place: str, tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    (directory / "site.yml").write_text(text)
    with pytest.raises(SiteError) as caught:
        load_site(directory)
    assert (caught.value.id, Path(caught.value.where).name) == (id_, place)


def test_what_is_not_text(tmp_path: Path) -> None:
    directory = copy_of("three-node", tmp_path / "site")
    (directory / "site.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(SiteError) as caught:
        load_site(directory)
    assert caught.value.id == "SITE-UNREADABLE"
