"""What the environment says of a request's way, a proxy and whose certificates to trust: as requests reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi
from requests import Session
from requests.utils import select_proxy


@dataclass(frozen=True)
class Way:
    """A proxy's URL, "" for none, and the certificates to trust, as urllib3 takes them: a bundle or a folder."""

    proxy: str
    certificates: dict[str, str]

    @property
    def credentials(self) -> str:
        """Return name and password in the proxy's URL as "name:password", "" where there are none."""
        parts = urlsplit(self.proxy)
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""


def way_to(url: str, *, trust_environment: bool = True) -> Way:
    """Return the way to a URL: HTTP(S)_PROXY, ALL_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, else certifi's.

    Raises OSError where the certificates are missing.
    """
    session = Session()
    session.trust_env = trust_environment
    settings = session.merge_environment_settings(url, {}, None, None, None)
    proxy = select_proxy(url, settings["proxies"]) or ""
    path = Path(settings["verify"] if isinstance(settings["verify"], str) else certifi.where())
    if not path.exists():
        raise OSError(f"no certificates at {path}; check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE")
    return Way(
        proxy=proxy if not proxy or "://" in proxy else f"http://{proxy}",
        certificates={"ca_cert_dir" if path.is_dir() else "ca_certs": str(path)},
    )
