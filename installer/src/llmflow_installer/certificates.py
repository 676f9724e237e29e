"""The site's own certificate authority and its services' certificates, made once and renewed in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from llmflow_bundle.errors import SiteError

from llmflow_installer.site import Site
from llmflow_installer.state import SiteState, write_private

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=730)
RENEW_BEFORE = timedelta(days=60)  # time enough to run `install` again before anything expires
CLOCK_SLACK = timedelta(hours=1)  # hosts whose clock is a little behind must accept a new certificate

Name = str | IPv4Address


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path

    def exists(self) -> bool:
        """Whether both files are there."""
        return self.certificate.is_file() and self.key.is_file()


@dataclass(frozen=True)
class Pki:
    """The site's authority and its servers' pairs: `registry`, and each organ that serves."""

    ca: Pair
    servers: Mapping[str, Pair]

    def private_keys(self) -> tuple[str, ...]:
        """The private keys' text, which must not appear in any log."""
        pairs = (self.ca, *self.servers.values())
        return tuple(pair.key.read_text(encoding="utf-8").strip() for pair in pairs)

    def variables(self) -> dict[str, object]:
        """The `pki` variable of every playbook (playbooks/README.md)."""
        servers = {
            name: {"certificate": str(pair.certificate), "key": str(pair.key)}
            for name, pair in self.servers.items()
        }
        return {"ca": str(self.ca.certificate), **servers}


def site_pki(site: Site, state: SiteState, now: datetime) -> Pki:
    """The site's pairs; what is missing, near its end or lacks a name is made anew.

    Raises SiteError where a file is damaged.
    """
    state.pki.mkdir(mode=0o700, exist_ok=True)
    names = {"registry": registry_names(site)} | {organ: organ_names(site, organ) for organ in site.organs}
    pki = Pki(_pair(state, "ca"), {server: _pair(state, server) for server in names})
    if not pki.ca.exists():
        _make_authority(pki.ca, site.name, now)
    for server, pair in pki.servers.items():
        if not _is_good(pair, pki.ca, names[server], now):
            _make_server(pair, pki.ca, names[server], now)
    return pki


def _pair(state: SiteState, name: str) -> Pair:
    return Pair(state.pki / f"{name}.crt", state.pki / f"{name}.key")


def registry_names(site: Site) -> tuple[Name, ...]:
    """Names and addresses under which hosts reach the registry."""
    return (site.registry.host, "localhost", site.registry.address, IPv4Address("127.0.0.1"))


def organ_names(site: Site, organ: str) -> tuple[Name, ...]:
    """Names of an organ's service in the cluster, and every host, since its port is open on each."""
    service = tuple(
        f"{organ}{domain}" for domain in ("", ".llmflow", ".llmflow.svc", ".llmflow.svc.cluster.local")
    )
    hosts = [name for host in site.hosts for name in (host.name, host.address)]
    return (*service, "localhost", *hosts, IPv4Address("127.0.0.1"))


def _make_authority(pair: Pair, site_name: str, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject(f"LLMFlow site {site_name}")
    public = key.public_key()
    builder = (
        _builder(name, name, public, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    _write(pair, builder.sign(key, hashes.SHA256()), key)


def _make_server(pair: Pair, authority: Pair, names: Sequence[Name], now: datetime) -> None:
    ca_certificate, ca_key = _certificate(authority), _key(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_subject(str(names[0])), ca_certificate.subject, key.public_key(), now, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in dict.fromkeys(names)]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    _write(pair, builder.sign(ca_key, hashes.SHA256()), key)


def _is_good(pair: Pair, authority: Pair, names: Sequence[Name], now: datetime) -> bool:
    if not pair.exists():
        return False
    certificate = _certificate(pair)
    if (
        certificate.not_valid_after_utc - now < RENEW_BEFORE
        or certificate.public_key() != _key(pair).public_key()
    ):
        return False
    if certificate.issuer != _certificate(authority).subject or not _is_signed_by(certificate, authority):
        return False
    present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {_general(name) for name in names} == set(present)


def _is_signed_by(certificate: x509.Certificate, authority: Pair) -> bool:
    try:
        certificate.verify_directly_issued_by(_certificate(authority))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _general(name: Name) -> x509.GeneralName:
    return x509.IPAddress(name) if isinstance(name, IPv4Address) else x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + life)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    write_private(pair.key, pem.decode())
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM).decode())


def _certificate(pair: Pair) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except ValueError as exc:
        raise _damaged(pair.certificate) from exc


def _key(pair: Pair) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    except ValueError as exc:
        raise _damaged(pair.key) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged(pair.key)
    return key


def _damaged(path: Path) -> SiteError:
    hint = "restore it from a backup; deleting the pair makes a new one (after ca.crt: new ones everywhere)"
    return SiteError("SITE-PKI", f"{path.name} can't be read", where=str(path), hint=hint)
