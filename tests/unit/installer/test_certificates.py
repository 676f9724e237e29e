import ssl
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from llmflow_bundle.errors import SiteError
from llmflow_installer.certificates import RENEW_BEFORE, SERVER_LIFE, Pair, Pki, site_pki
from llmflow_installer.site import Site
from llmflow_installer.state import SiteState
from support.stand import START


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    return SiteState.of(tmp_path / "state", "here")


def content(pki: Pki) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes()
        for pair in (pki.ca, *pki.servers.values())
        for file in (pair.certificate, pair.key)
    }


def names(pair: Pair) -> set[str]:
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*value.get_values_for_type(x509.DNSName), *map(str, value.get_values_for_type(x509.IPAddress))}


def test_pairs_are_made_once(site: Site, state: SiteState) -> None:
    first = content(site_pki(site, state, START))
    assert content(site_pki(site, state, START + timedelta(days=30))) == first


def test_every_way_to_a_service_is_named(site: Site, state: SiteState) -> None:
    pki = site_pki(site, state, START)
    assert names(pki.servers["registry"]) == {"cp1", "localhost", "10.78.0.2", "127.0.0.1"}
    hosts = {"cp1", "worker1", "worker2", "10.78.0.2", "10.78.0.3", "10.78.0.4"}
    for organ in site.organs:
        assert {organ, f"{organ}.llmflow.svc.cluster.local", *hosts} <= names(pki.servers[organ])


def test_a_client_that_trusts_the_authority_trusts_the_servers(site: Site, state: SiteState) -> None:
    pki = site_pki(site, state, START)
    for pair in pki.servers.values():
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.certificate, pair.key)
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(pki.ca.certificate.read_bytes()))
        assert certificate.not_valid_after_utc - START == SERVER_LIFE
        assert certificate.not_valid_before_utc < START  # for hosts whose clock is behind


def test_servers_are_renewed_in_time_and_the_authority_stays(site: Site, state: SiteState) -> None:
    before = content(site_pki(site, state, START))
    after = content(site_pki(site, state, START + SERVER_LIFE - RENEW_BEFORE + timedelta(days=1)))
    assert after["ca.crt"] == before["ca.crt"]
    assert after["registry.crt"] != before["registry.crt"]


def test_a_new_host_renews_the_certificates_that_name_hosts(site: Site, state: SiteState) -> None:
    before = content(site_pki(site, state, START))
    moved = replace(site.hosts[2], address=IPv4Address("10.78.0.99"))
    after = content(site_pki(replace(site, hosts=(*site.hosts[:2], moved)), state, START))
    assert after["registry.crt"] == before["registry.crt"]
    assert after["vllm.crt"] != before["vllm.crt"]


def test_a_new_authority_renews_all(site: Site, state: SiteState) -> None:
    pki = site_pki(site, state, START)
    before = content(pki)
    pki.ca.certificate.unlink()
    after = content(site_pki(site, state, START))
    assert not set(before.values()) & set(after.values())


@pytest.mark.parametrize("file", ["ca.crt", "registry.crt", "registry.key"])
def test_damage_is_named(file: str, site: Site, state: SiteState) -> None:
    site_pki(site, state, START)
    (state.pki / file).write_text("damaged")
    with pytest.raises(SiteError) as caught:
        site_pki(site, state, START)
    assert caught.value.id == "SITE-PKI"
    assert caught.value.where.endswith(file)
