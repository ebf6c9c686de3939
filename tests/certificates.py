"""Certificates of their own authority for servers of tests on 127.0.0.1."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from logistics.clock import wall_now

DAY = timedelta(days=1)


def make(
    folder: Path, *hosts: str, cert: str = "cert.pem", key: str = "key.pem", valid_from: timedelta = -DAY
) -> tuple[Path, Path]:
    """Certificate for 127.0.0.1 and ``hosts``, valid for two days from ``valid_from`` on, and its key, as files."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    names = [x509.IPAddress(ip_address("127.0.0.1")), *(x509.DNSName(host) for host in hosts)]
    now = wall_now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid_from).not_valid_after(now + valid_from + 2 * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(secret, hashes.SHA256())
    )  # fmt: skip
    cert_file, key_file = folder / cert, folder / key
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    key_file.write_bytes(secret.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return cert_file, key_file
