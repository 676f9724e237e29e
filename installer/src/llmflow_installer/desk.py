"""Asking an installed site through the packed plugins, each run as Dify would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle import layout
from llmflow_bundle.dirs import cache_dir, state_dir
from llmflow_bundle.errors import BundleError
from llmflow_bundle.report import Reporter
from llmflow_runner import call, environment, sign
from llmflow_runner.daemon import Plugin

from llmflow_installer.certificates import site_pki
from llmflow_installer.engines import ENGINES
from llmflow_installer.secrets import site_secrets
from llmflow_installer.site import Site
from llmflow_installer.state import SiteState
from llmflow_installer.stores import STORES
from llmflow_installer.world import now

Shown = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Desk:
    """What asking through the packed plugins takes: the installed site and the bundle with the packages."""

    site: Site
    bundle: Path
    report: Reporter

    def ask(self, organ: str, asked: Callable[[Mapping[str, str]], call.Request], show: Shown) -> call.Timing:
        """Ask an organ through its plugin, as Dify would; `asked` makes the request of the filled form."""
        package = self._package(ENGINES[organ].plugin)
        return call.ask(
            package, asked(self.form(organ)), self._trusted(), cache_dir(), self.report, on_chunk=show
        )

    @contextmanager
    def running(self, plugin: str) -> Iterator[Plugin]:
        """A packed plugin, its signature checked, installed and running as Dify would run it."""
        package = call.trusted(self._package(plugin), self._trusted())
        with (
            environment.installed(package, cache_dir(), False, self.report) as place,
            Plugin(place) as process,
        ):
            yield process

    def stores(self) -> dict[str, str]:
        """The form of the plugin that keeps documents in the site's stores."""
        secrets = site_secrets(self._state())
        graph, vectors = STORES["neo4j"], STORES["milvus"]
        return {
            "neo4j_address": f"bolt://{self._reached(graph.organ)}",
            "neo4j_user": graph.user,
            "neo4j_password": secrets[graph.secret],
            "milvus_address": f"https://{self._reached(vectors.organ)}",
            "milvus_token": f"{vectors.user}:{secrets[vectors.secret]}",
            "ca_certificate": self._authority(),
            "tenant": "demo",
        }

    def _package(self, plugin: str) -> Path:
        folder = self.bundle / layout.PLUGINS
        package = next(iter(sorted(folder.glob(f"llmflow-{plugin}-*.difypkg"))), None)
        if package is None:
            raise BundleError(
                "BUNDLE-NO-PLUGIN", f"the bundle holds no plugin {plugin}", where=str(folder),
                hint=f"name {plugin} under the profile's plugins in bundle.yaml and build again",
            )  # fmt: skip
        return package

    def form(self, organ: str) -> dict[str, str]:
        """The form of the plugin that asks this organ."""
        return {
            "endpoint_url": f"https://{self._reached(organ)}{ENGINES[organ].base}",
            "api_key": site_secrets(self._state())[ENGINES[organ].secret],
            "ca_certificate": self._authority(),
        }

    def _trusted(self) -> rsa.RSAPublicKey:
        return sign.public_key(self.bundle / layout.PLUGINS / sign.PUBLIC)

    def _state(self) -> SiteState:
        return SiteState.of(state_dir(), self.site.name)

    def _reached(self, organ: str) -> str:
        """Address and port of an organ, from outside the cluster."""
        return f"{self.site.first_control_plane.address}:{self.site.organs[organ].node_port}"

    def _authority(self) -> str:
        return site_pki(self.site, self._state(), now()).ca.certificate.read_text(encoding="utf-8")
