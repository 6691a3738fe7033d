"""Let the JVM trust the certificate authorities that Python trusts, for the one download the engine makes.

The JDK of a wheel brings its own list and knows nothing of the machine's: behind a company's TLS-inspecting proxy
its downloads fail where pip's succeed.
"""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_pem_x509_certificates

# Java refuses a trust store without a password; certificates are public, so this protects nothing.
_PASSWORD = "changeit"


def trust_options(folder: Path) -> list[str]:
    """JVM options naming a trust store written to `folder`; empty when Python has no bundle of its own."""
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # some public roots have odd serial numbers
        authorities = load_pem_x509_certificates(Path(bundle).read_bytes())
    entries = [pkcs12.PKCS12Certificate(authority, f"ca{i}".encode()) for i, authority in enumerate(authorities)]
    store = folder / "trust.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD.encode())))
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}"]
