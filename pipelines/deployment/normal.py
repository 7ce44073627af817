"""Objects without what differs between two deployments of the same thing: equal objects give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lockgate.pipelines.deployment.objects import Document, ObjectKey
from lockgate.pipelines.scoring.measuring import COMMIT_VARIABLE

OURS = "lockgate/"
"""Prefix of the annotations that say which commit was deployed, and when. They are not compared."""

DEPLOYED_AT = "metaflow/deployment_timestamp"
_OWNER = "metaflow/owner"
_SERVER = {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid", "finalizers"}
_FOREIGN = ("kubectl.kubernetes.io/", "argocd.argoproj.io/", OURS)
_MACHINE = ("username", "python_version", "repo_url", "branch_name", "commit_sha", "has_uncommitted_changes")
_PACKAGE = re.compile(r'"METAFLOW_CODE_SHA", "value": "([0-9a-f]{40})"')
_DRAWN = re.compile(r"(set_parameters |`pwd`/)[a-z]{10}\b")


def canonical_form(key: ObjectKey, document: Document) -> dict[str, Any]:
    """The object as it is written and applied: without nulls, times, random names, and what the server adds."""
    plain: dict[str, Any] = _plain(document)
    plain.pop("status", None)
    metadata = {name: value for name, value in plain["metadata"].items() if name not in _SERVER}
    plain["metadata"] = {"namespace": key.namespace, **metadata}
    return plain


def comparable_form(key: ObjectKey, document: Document) -> dict[str, Any]:
    """The parts of an object that are compared: `canonical_form` without its owner and without others' annotations.

    The code package, which every pod's command names, appears only once.
    """
    form: dict[str, Any] = _drop_owner(canonical_form(key, document))
    text = json.dumps(form)
    if package := _PACKAGE.search(text):
        digest = package.group(1)
        form = json.loads(text.replace(f"{digest[:2]}/{digest}", "CODE").replace(digest, "CODE"))
        form["code package"] = digest
    for part in ("annotations", "labels"):
        own = {name: value for name, value in form["metadata"].get(part, {}).items() if not name.startswith(_FOREIGN)}
        form["metadata"].pop(part, None)
        if own:
            form["metadata"][part] = own
    return form


def drop_machine_info(info: Mapping[str, Any]) -> dict[str, Any]:
    """Metaflow's notes about the packaging, without what differs between machines.

    The address of the repository is left out too, because it may contain a password.
    """
    return {name: value for name, value in info.items() if name not in _MACHINE}


def to_yaml(document: Mapping[str, Any]) -> str:
    """YAML with sorted keys and multi-line text as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(dict(document), Dumper=Dumper, sort_keys=True, width=110, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get("name") == "METAFLOW_VERSION" and isinstance(value.get("value"), str):
            info = drop_machine_info(json.loads(value["value"]))
            return {"name": "METAFLOW_VERSION", "value": json.dumps(info, sort_keys=True)}
        return {str(name): _plain(item) for name, item in value.items() if item is not None and name != DEPLOYED_AT}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _DRAWN.sub(r"\1parameters", value) if isinstance(value, str) else value


def _drop_owner(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("name") in ("METAFLOW_OWNER", "USER") and "value" in value:
            return {"name": value["name"], "value": ""}
        return {name: _drop_owner(item) for name, item in value.items() if name != _OWNER}
    if isinstance(value, list):
        return [
            _drop_owner(item) for item in value if not (isinstance(item, dict) and item.get("name") == COMMIT_VARIABLE)
        ]
    return value


def add_commit(value: Any, commit: str) -> Any:
    """The document with the commit among the variables of every container, where a run reads it.

    It is not compared: it is the commit of the last deployment that changed anything.
    """
    if isinstance(value, dict):
        copy = {name: add_commit(item, commit) for name, item in value.items()}
        if isinstance(copy.get("env"), list) and "image" in copy:
            copy["env"] = [*copy["env"], {"name": COMMIT_VARIABLE, "value": commit}]
        return copy
    return [add_commit(item, commit) for item in value] if isinstance(value, list) else value
