"""A certificate that this machine makes for itself, so that browsers elsewhere get HTTPS."""

import datetime
import ipaddress
import os
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE_DAYS = 30


def make_certificate(folder: Path, addresses: list[str]) -> tuple[Path, Path]:
    """Write a self-signed certificate for localhost and `addresses`; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Callgate demo")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", *addresses)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # The sandbox trusts it as its own root when it delivers webhooks.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "demo-certificate.pem", folder / "demo-key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return public, private


def addresses_here() -> list[str]:
    """Return the IPv4 addresses at which other machines may reach this one."""
    return [
        entry.ip
        for adapter in ifaddr.get_adapters()
        for entry in adapter.ips
        if isinstance(entry.ip, str) and not ipaddress.ip_address(entry.ip).is_loopback
    ]
