"""Which project a command acts on: that of the nearest configuration, `lockgate.yaml` or conf/, as Git finds its own.

The folder that the configuration is in is the project's root. Whatever has a relative path starts there, Metaflow's
local datastore with the promotion log in it too, so that every folder of a project gives the same answer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.settings.groups import CONF_VARIABLE, ROOT

PROJECT_FILE = "lockgate.yaml"
CONF_FOLDER = "conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A project, by its configuration."""

    root: Path
    configuration: Path  # a `lockgate.yaml`, or a directory conf/

    @property
    def has_conf(self) -> bool:
        return self.configuration.name != PROJECT_FILE


def find_scope(folder: Path | None = None) -> Scope | None:
    """The project of `folder`, or else that of this process: None if there is none.

    It is that of the nearest folder with a configuration, up to the root of the Git repository. A process asks for its
    working directory; where LOCKGATE_CONF is set, it names the conf/ to take. Raises SettingsError if a folder has two.
    """
    if folder is None and (named := os.environ.get(CONF_VARIABLE)):
        conf = Path(named).resolve()
        return Scope(root=conf.parent, configuration=conf)
    folder = Path.cwd() if folder is None else folder.resolve()
    for place in (folder, *folder.parents):
        file, conf = place / PROJECT_FILE, place / CONF_FOLDER
        if file.is_file() and is_conf(conf):
            raise two_configurations_error(str(place))
        if file.is_file() or is_conf(conf):
            configuration = file if file.is_file() else conf
            if place != folder:
                _check_owner(configuration)
            return Scope(root=place, configuration=configuration)
        if (place / ".git").exists():
            return None
    return None


def _check_owner(configuration: Path) -> None:
    """Raise SettingsError if another user put it above the folder, as may be in a shared one such as /tmp."""
    owner, user = configuration.stat().st_uid, os.geteuid() if hasattr(os, "geteuid") else 0
    if user and owner not in (0, user):
        raise SettingsError(
            f"{configuration} belongs to another user, and would say what is promoted here",
            expected="a configuration of your own, or root's, above this folder",
            where=str(configuration),
            hint=f"if you trust it, run the command in {configuration.parent}",
        )


def two_configurations_error(where: str) -> SettingsError:
    """For a folder, or a version of one, with `lockgate.yaml` and conf/."""
    return SettingsError(
        f"{PROJECT_FILE} and {CONF_FOLDER}/ both say what is promoted",
        expected="one of them, as their policies and logs may differ",
        where=where,
        hint=f"remove one, or have {CONF_VARIABLE} name {CONF_FOLDER}/",
    )


def require_scope() -> Scope:
    """The project of the working directory. Raises SettingsError if there is none."""
    scope = find_scope()
    if scope is None:
        raise SettingsError(
            "no configuration",
            expected=f"{PROJECT_FILE} or {CONF_FOLDER}/ here, or above in this repository",
            where=str(Path.cwd()),
            hint=f"{CONF_VARIABLE} is not set; set it to the directory conf/ of your project, or write {PROJECT_FILE}:"
            " docs/own-flow.md",
        )
    return scope


def find_conf(*, need: str = "models, data and flows") -> Path:
    """The project's conf/. Raises SettingsError, which names what it is needed for, if the project has none."""
    scope = require_scope()
    if not scope.has_conf:
        raise SettingsError(
            f"this command needs {need}",
            expected=f"a project with {CONF_FOLDER}/",
            where=str(scope.configuration),
            hint="docs/own-flow.md says what each command needs",
        )
    return scope.configuration


def is_conf(folder: Path) -> bool:
    """Whether a directory is lockgate's configuration: others that Hydra composes are called conf/ as well."""
    return (folder / "config.yaml").is_file() and (folder / "gate").is_dir()


def find_root() -> Path:
    """The root of the project; in a pod, which has no configuration of its own, the package's folder."""
    scope = find_scope()
    return ROOT if scope is None else scope.root


def find_home() -> Path:
    """The directory that relative paths of prediction stores start at.

    It is the project's root, unless Metaflow keeps local runs in a place that somebody has named: then it is that one.
    """
    from lockgate.gates import runs

    scope, (kind, datastore) = find_scope(), runs.datastore()
    if kind == "local" and (scope is None or Path(datastore).parent != runs.find_local_home(scope.root)):
        return Path(datastore).parent
    return Path.cwd() if scope is None else scope.root
