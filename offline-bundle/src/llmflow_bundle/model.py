"""What is asked for (bundle.yaml, organ.yaml), what it resolved to (lock.yaml), what a bundle says of itself.

All models are frozen and refuse unknown keys. Sizes are bytes; `sha256` fields are 64 hex digits, `digest`
fields are `sha256:<64 hex digits>` as in OCI.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


def _inside(value: str) -> str:
    if not value or value.startswith("/") or ".." in value.split("/"):
        raise ValueError("must be a relative path without ..")
    return value


RelativePath = Annotated[str, AfterValidator(_inside)]
ImagePath = Annotated[str, Field(pattern=r"^/")]
Kind = Literal["go", "pypi", "maven", "deb", "file", "built"]


def _octal(value: object) -> object:
    """YAML 1.2 reads 0755 as the number 755: take its digits as what they were meant to be."""
    return f"{value:04d}" if isinstance(value, int) and not isinstance(value, bool) else value


Mode = Annotated[str, BeforeValidator(_octal), Field(pattern=r"^[0-7]{4}$")]


class Strict(BaseModel):
    """Frozen, refuses unknown keys, takes field names beside aliases."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# --- organ.yaml: sources ---


class GoModule(Strict):
    """A further Go module whose commands are built in the same module graph."""

    module: str
    version: str
    commands: tuple[str, ...] = (".",)


class GoSource(Strict):
    """Commands built from a Go module. Outputs: each command's binary, and `files` of the module archive."""

    kind: Literal["go"]
    name: Name
    module: str
    version: str
    commands: tuple[str, ...] = Field(description="package paths relative to the module; `.` is its root")
    modules: tuple[GoModule, ...] = ()
    rename: dict[str, Name] = Field(default_factory=dict, description="go's name of a binary → output name")
    files: dict[Name, RelativePath] = Field(
        default_factory=dict, description="output name → file in the module archive"
    )
    staging: str | None = Field(
        default=None, description="prefix of modules that the module's go.mod replaces by folders"
    )
    staging_version: str | None = None
    stamp: dict[str, str] = Field(default_factory=dict, description="-X variable → value")
    tags: tuple[str, ...] = ()
    licence: str


class PypiSource(Strict):
    """Wheels for the target's Python. Outputs: one wheel a distribution.

    Either `requirements` (beside organ.yaml, resolved by `bundle lock`) or `lock_file` (hashed already,
    relative to the repository's root).
    """

    kind: Literal["pypi"]
    name: Name
    python: str = "3.11"
    requirements: RelativePath | None = None
    overrides: RelativePath | None = None
    exclude: tuple[str, ...] = Field(default=(), description="left out although something asks for them")
    lock_file: RelativePath | None = None
    licence: str = Field(default="", description="only for wheels that don't say")

    @model_validator(mode="after")
    def _one_of(self) -> PypiSource:
        if (self.requirements is None) == (self.lock_file is None):
            raise ValueError("give exactly one of requirements and lock_file")
        return self


class MavenSource(Strict):
    """Jars with everything they need at run time. Outputs: the jars by file name."""

    kind: Literal["maven"]
    name: Name
    coordinates: tuple[str, ...] = Field(description="group:artifact:version[:extension]", min_length=1)
    licence: str = Field(default="", description="only for jars that don't say")


class DebSource(Strict):
    """Debian packages and all they depend on, from an empty system. Outputs: the .deb files."""

    kind: Literal["deb"]
    name: Name
    packages: tuple[str, ...] = Field(min_length=1)
    base: bool = Field(default=False, description="add what debootstrap needs: required, essential, apt")
    licence: str = Field(default="", description="only for packages that don't say")


class FileSource(Strict):
    """A file or folder beside organ.yaml, or of the repository. Outputs: its name, or each of the folder's files by
    relative path."""

    kind: Literal["file"]
    name: Name
    path: RelativePath
    of: Literal["organ", "repository"] = Field(default="organ", description="what the path is relative to")
    licence: str


class BuiltSource(Strict):
    """Files made by a command that runs in an empty directory which holds only its inputs.

    An input is `<source>` or `<source>/<output>`: a Go binary, a file or a folder by name; a whole deb source
    is unpacked as a tree, a whole pypi source as site-packages. `outputs` are files or folders it leaves.
    """

    kind: Literal["built"]
    name: Name
    version: str = ""
    command: tuple[str, ...] = Field(min_length=1)
    inputs: dict[RelativePath, str] = Field(default_factory=dict, description="path there → input")
    outputs: tuple[RelativePath, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    reproducible: bool
    why_not: str = Field(default="", description="why two runs may differ, where reproducible is false")
    licence: str

    @model_validator(mode="after")
    def _says_why(self) -> BuiltSource:
        if not self.reproducible and not self.why_not:
            raise ValueError("reproducible: false needs why_not")
        return self


Source = Annotated[
    GoSource | PypiSource | MavenSource | DebSource | FileSource | BuiltSource, Field(discriminator="kind")
]


def inputs_of(source: Source) -> set[str]:
    """Names of the sources that a source is built from."""
    return (
        {ref.partition("/")[0] for ref in source.inputs.values()}
        if isinstance(source, BuiltSource)
        else set()
    )


# --- organ.yaml: what the sources become ---


class Copy(Strict):
    """Copy a source, or one output of it, to a path: a file, an unpacked deb tree, a site-packages folder."""

    source: str = Field(alias="from", description="<source> or <source>/<output>")
    to: ImagePath
    mode: Mode | None = Field(default=None, description="of a file; else 0644, or 0755 where executable")
    packages: tuple[str, ...] = Field(
        default=(), description="of a deb or pypi source, only these (patterns)"
    )
    except_packages: tuple[str, ...] = Field(default=(), description="… all but these")
    include: tuple[str, ...] = Field(default=(), description="of a tree, only paths like these (patterns)")
    exclude: tuple[str, ...] = Field(default=(), description="… all but these")


class Directory(Strict):
    """Make an empty directory."""

    directory: ImagePath
    mode: Mode = "0755"
    owner: Annotated[str, Field(pattern=r"^\d+:\d+$")] = "0:0"


class Text(Strict):
    """Write a small text file."""

    text: str
    to: ImagePath
    mode: Mode = "0644"


class Link(Strict):
    """Make a symbolic link."""

    link: ImagePath
    target: str


class Shared(Strict):
    """The steps of a layer that some organ of the profile has under `layers`; none is left in a lock."""

    layer: Name


def _step_kind(value: Any) -> str:
    keys = set(value) if isinstance(value, dict) else {type(value).__name__.lower()}
    for kind in ("directory", "text", "link", "layer"):
        if kind in keys:
            return kind
    return "copy"


Step = Annotated[
    Annotated[Copy, Tag("copy")]
    | Annotated[Directory, Tag("directory")]
    | Annotated[Text, Tag("text")]
    | Annotated[Link, Tag("link")]
    | Annotated[Shared, Tag("layer")],
    Discriminator(_step_kind),
]


class ImageConfig(Strict):
    """How a container of an image starts."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    user: str = ""
    workdir: ImagePath = "/"


class Image(ImageConfig):
    """An image assembled FROM scratch; a layer is a list of steps, identical layers are shared."""

    ref: Annotated[str, Field(pattern=r"^[a-z0-9.-]+\.[a-z0-9.:-]+/[a-z0-9._/-]+:[A-Za-z0-9._-]+$")]
    layers: tuple[tuple[Step, ...], ...] = Field(min_length=1)


class Placed(Strict):
    """Something of a source under a name in the bundle; written as text, its last part is the name."""

    source: str = Field(alias="from", description="<source> or <source>/<output>")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"from": value, "to": value.rpartition("/")[2]} if isinstance(value, str) else value


class Binary(Placed):
    """A host binary; written as `<source>/<output>` it goes to bin/<output>."""

    to: RelativePath


class Model(Placed):
    """A model; written as `<source>` or `<source>/<output>` it goes to models/<last part>/."""

    to: Name


class InstallerParts(Strict):
    """The sources that the bundle's own installer runs on."""

    runtime: Name = Field(description="deb source with Python, its libraries and its loader")
    site_packages: Name = Field(description="pypi source")


class PackagesSupply(Strict):
    """An organ made out of language and Debian packages."""

    sources: tuple[Source, ...] = ()
    binaries: tuple[Binary, ...] = ()
    layers: dict[Name, tuple[Step, ...]] = Field(
        default_factory=dict, description="layers that images of any organ share by name"
    )
    host_packages: tuple[str, ...] = Field(default=(), description="debs for the bundle's apt repository")
    images: tuple[Image, ...] = ()
    models: tuple[Model, ...] = ()
    wheels: tuple[Name, ...] = Field(default=(), description="pypi sources for the bundle's wheels/")
    installer: InstallerParts | None = None


class Supply(Strict):
    """Where an organ's bytes may come from."""

    packages: PackagesSupply


class Organ(Strict):
    """organ.yaml: one component of the appliance as data."""

    name: Name
    version: str
    why: str
    licence: str
    source: str = Field(default="", description="upstream's home, in words or as a module path")
    supply: Supply
    chart: RelativePath | None = Field(default=None, description="folder below playbooks/")


# --- bundle.yaml ---


class Target(Strict):
    """The system that the hosts run."""

    os: Literal["debian-12"]
    arch: Literal["amd64"]


class Profile(Strict):
    """A choice of organs, supply, plugins and target."""

    target: Target
    supply: Literal["packages"]
    organs: tuple[Name, ...] = Field(min_length=1)
    plugins: tuple[Name, ...] = ()


class Toolchain(Strict):
    """Tools whose version decides what comes out of a build."""

    go: Annotated[str, Field(pattern=r"^go\d+\.\d+\.\d+$")]


class Intent(Strict):
    """bundle.yaml."""

    toolchain: Toolchain
    profiles: dict[Name, Profile]


# --- lock.yaml ---


class LockedArtifact(Strict):
    """One file as it must arrive."""

    name: str = Field(description="distribution, package, module, coordinate or path")
    version: str
    file: str = Field(description="output name: binary, wheel, .deb, jar, or path inside a folder")
    sha256: Sha256
    size: int = Field(ge=0)
    licence: str
    via: str = Field(default="", description="what asked for it; empty where the organ did")
    needed_by: tuple[Name, ...] = Field(min_length=1, description="organs")


class LockedSource(Strict):
    """A source with the files it yields; one that is not reproducible yields none before it ran."""

    organ: Name = Field(description="the organ that declares it; plugin-<name> for a plugin's wheels")
    spec: Source
    key: Sha256 = Field(description="of all that decides the outputs: recipe, files, inputs, toolchain")
    toolchain: str = ""
    artifacts: tuple[LockedArtifact, ...] = ()

    @property
    def name(self) -> str:
        """The source's name, unique in a profile."""
        return self.spec.name

    @property
    def kind(self) -> Kind:
        """The source's kind."""
        return self.spec.kind

    @property
    def reproducible(self) -> bool:
        """Whether the outputs' digests are known beforehand."""
        return not isinstance(self.spec, BuiltSource) or self.spec.reproducible


class LockedLayer(Strict):
    """A layer's recipe, and its tar's digest and size; "" and 0 where an input is not reproducible."""

    digest: Digest | Literal[""] = ""
    size: int = 0
    steps: tuple[Step, ...]


class LockedImage(Strict):
    """An image: reference, what it is made of, manifest digest and total size of its blobs."""

    ref: str
    organ: Name
    digest: Digest | Literal[""] = ""
    size: int = 0
    layers: tuple[LockedLayer, ...]
    config: ImageConfig


class LockedBinary(Binary):
    """A host binary and the organ that needs it."""

    organ: Name


class LockedModel(Model):
    """A model and the organ that needs it."""

    organ: Name


class LockedOrgan(Strict):
    """An organ as it was when the lock was made."""

    name: Name
    version: str
    licence: str
    why: str
    source: str = ""
    chart: RelativePath | None = None
    host_packages: tuple[str, ...] = ()
    wheels: tuple[Name, ...] = ()


HOST_PACKAGES = "host-packages"  # name of the deb source that becomes the bundle's apt repository


class Lock(Strict):
    """lock.yaml: the facts that a profile resolved to."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    profile: Name
    target: Target
    intent: Sha256 = Field(description="of the profile, its organs and the files beside them")
    toolchain: Toolchain
    organs: tuple[LockedOrgan, ...]
    plugins: tuple[Name, ...] = ()
    sources: tuple[LockedSource, ...]
    binaries: tuple[LockedBinary, ...] = ()
    images: tuple[LockedImage, ...] = ()
    models: tuple[LockedModel, ...] = ()
    installer: InstallerParts | None = None

    def source(self, name: str) -> LockedSource:
        """The source called `name`; KeyError where there is none."""
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(name)


# --- llmflow.json ---


class RootFile(Strict):
    """One file of a bundle; `mode` is "0755" where it is executable."""

    size: int = Field(ge=0)
    sha256: Sha256
    mode: Mode | None = None


class Root(Strict):
    """llmflow.json: lists every file of the bundle but itself and its signature."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    name: str
    version: str
    profile: Name
    target: Target
    lock: Sha256
    files: dict[RelativePath, RootFile]
    links: dict[RelativePath, str] = Field(default_factory=dict, description="path → target of a link")
