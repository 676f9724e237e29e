"""A real Neo4j Community on loopback, as playbooks/organs/neo4j has it: its version, its main class, a password.

The jars come by Maven, as the build machine has it set up, once for what is asked of it, under cache_dir()/integration.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmflow_bundle.dirs import cache_dir
from neo4j import GraphDatabase
from neo4j.exceptions import DriverError
from ruamel.yaml import YAML

from support.store_server import StoreServer
from support.vllm_server import REPOSITORY, Missing, digest, run

ORGAN = REPOSITORY / "playbooks" / "organs" / "neo4j"
MAIN = ORGAN / "server" / "llmflow" / "Neo4j.java"
MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
OPENED = ("java.nio", "java.io", "sun.nio.ch")  # what Neo4j's own start script asks of Java 17
USER = "neo4j"

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>llmflow</groupId><artifactId>neo4j</artifactId><version>1</version>
  <dependencies>{}</dependencies>
</project>
"""
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
CONFIGURATION = """\
server.bolt.listen_address=127.0.0.1:{port}
dbms.security.auth_enabled=true
dbms.usage_report.enabled=false
server.memory.pagecache.size=128m
db.tx_log.rotation.retention_policy=1 files
server.databases.read_only={read_only}
"""


@dataclass(kw_only=True)
class Neo4jServer(StoreServer):
    """A Neo4j with a password."""

    title = "Neo4j"
    jars: Path
    password: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"bolt://127.0.0.1:{self.port}"

    def start(self, *, read_only: bool = False) -> None:
        """Start it and wait until it answers."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        configuration, password = self.folder / "neo4j.conf", self.folder / "password"
        configuration.write_text(CONFIGURATION.format(port=self.port, read_only="neo4j" if read_only else ""))
        password.write_text(self.password)
        command = [
            "java", "-Xmx768m", "-XX:+UseG1GC", "-Dlog4j2.disable.jmx=true",
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
            "--class-path", f"{self.jars}/*", MAIN, home, configuration, password,
        ]  # fmt: skip
        self.run(command, home)

    def answers(self) -> bool:
        """Whether it takes its password."""
        try:
            with GraphDatabase.driver(self.address, auth=(USER, self.password)) as driver:
                driver.execute_query("RETURN 1", database_="neo4j")
        except (DriverError, OSError):
            return False
        return True


@contextmanager
def real_neo4j() -> Iterator[Neo4jServer]:
    """A running Neo4j until the block ends; raises Missing where that cannot be."""
    jars = _jars()
    with tempfile.TemporaryDirectory(prefix="llmflow-neo4j-", ignore_cleanup_errors=True) as folder:
        server = Neo4jServer(folder=Path(folder), jars=jars)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _jars() -> Path:
    """The folder of Neo4j's jars, filled by Maven where it is not in the cache yet."""
    for tool in ("java", "mvn", "setpriv"):
        if shutil.which(tool) is None:
            raise Missing(f"A real Neo4j needs {tool} on PATH")
    root = cache_dir() / "integration"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come at once
        return _fetched(root)


def _fetched(root: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=root, prefix=".neo4j-") as scratch:
        pom = Path(scratch) / "pom.xml"
        pom.write_text(POM.format("".join(DEPENDENCY.format(*c.split(":")) for c in _coordinates())))
        kept = root / f"neo4j-{digest(pom)}"
        if not kept.is_dir():
            made = Path(scratch) / "jars"
            try:
                run(["mvn", "-B", "-q", "-ntp", "-f", str(pom), MAVEN, f"-DoutputDirectory={made}",
                     "-Dmdep.prependGroupId=true", "-DincludeScope=runtime"])  # fmt: skip
            except RuntimeError as error:
                raise Missing(f"A real Neo4j can't be fetched: {error}") from error
            made.replace(kept)
    return kept


def _coordinates() -> list[str]:
    organ = YAML(typ="safe", pure=True).load((ORGAN / "organ.yaml").read_text(encoding="utf-8"))
    return [
        coordinate
        for source in organ["supply"]["packages"]["sources"]
        if source["kind"] == "maven" and source["name"] == "neo4j"
        for coordinate in source["coordinates"]
    ]
