"""A certificate authority for tests, and a certificate of it for 127.0.0.1."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FROM = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
UNTIL = FROM + datetime.timedelta(days=3650)
Key = ec.EllipticCurvePrivateKey


def authority() -> tuple[str, Key]:
    """A new CA: its certificate as PEM text, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _pem(_certificate("test CA", key, "test CA", key, ca=True)), key


def server(folder: Path, signer: Key, clients: str = "") -> ssl.SSLContext:
    """The TLS context of a server at 127.0.0.1 whose certificate `signer` signed.

    `clients` is PEM text of the CA that every client's certificate must be from; "" asks clients for none.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / "server.pem"
    path.write_text(identity(_pem(_certificate("127.0.0.1", key, "test CA", signer, ca=False)), key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients)
    return context


def identity(certificate: str, key: Key) -> str:
    """A certificate and its private key as one PEM text."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate + private.decode()


def _certificate(name: str, key: Key, issuer: str, signer: Key, *, ca: bool) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(FROM).not_valid_after(UNTIL)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return builder.add_extension(address, critical=False).sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
