import pytest
from llmflow_bundle.errors import SiteError
from llmflow_installer.plan import digest_of, make_plan, site_variables
from llmflow_installer.site import Site
from llmflow_installer.stages import STAGES, named
from llmflow_installer.supplies import Supplies, bundle_variables


@pytest.fixture
def variables(site: Site, supplies: Supplies) -> dict[str, object]:
    return {"site": site_variables(site), "bundle": bundle_variables(supplies)}


def test_all_stages_in_order(variables: dict[str, object]) -> None:
    plan = make_plan(variables, {})
    assert plan.stages == STAGES
    assert plan.required == ()
    assert not any(step.forced for step in plan.steps)


def test_one_stage_requires_all_before_it(variables: dict[str, object]) -> None:
    plan = make_plan(variables, {}, only="network")
    assert [stage.id for stage in plan.stages] == ["network"]
    assert [stage.id for stage in plan.required] == ["hosts", "registry", "cluster"]


def test_verify_alone_requires_every_playbook(variables: dict[str, object]) -> None:
    assert [stage.id for stage in make_plan(variables, {}, only="verify").required] == [
        "hosts",
        "registry",
        "cluster",
        "network",
        "organs",
    ]


def test_the_same_inputs_are_left_to_the_check(variables: dict[str, object]) -> None:
    last = {stage.id: digest_of(stage, variables) for stage in STAGES}
    assert not any(step.forced for step in make_plan(variables, last).steps)


def test_only_stages_whose_inputs_changed_are_forced(variables: dict[str, object]) -> None:
    last = {stage.id: digest_of(stage, variables) for stage in STAGES}
    variables["site"]["registry"]["port"] = 5001  # type: ignore[index]  # a plain dict in this test
    plan = make_plan(variables, last)
    assert [step.stage.id for step in plan.steps if step.forced] == ["registry", "cluster"]


def test_force_is_for_every_step(variables: dict[str, object]) -> None:
    assert all(step.forced and step.why == "--force" for step in make_plan(variables, {}, force=True).steps)


def test_a_stage_that_does_not_exist() -> None:
    with pytest.raises(SiteError) as caught:
        named("nothing")
    assert caught.value.hint == "stages are hosts, registry, cluster, network, organs, verify"


def test_every_input_exists(variables: dict[str, object]) -> None:
    for stage in STAGES:
        assert len(digest_of(stage, variables)) == 64
