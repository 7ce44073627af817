"""Kubernetes as Metaflow is configured to reach it: each request answered within a time, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.gates.errors import DeployError
from lockgate.gates.runs.metadata import read_timeout
from lockgate.pipelines.deployment.objects import GROUP, PLURALS, VERSION, Document, Key
from lockgate.pipelines.deployment.target import Target

SECONDS = 20.0
"""How long one request may take; the variable below says otherwise."""

SECONDS_VARIABLE = "LOCKGATE_KUBERNETES_SECONDS"

WORKFLOWS = "workflows"
_PAGE = 200
_SENSOR_NAME, _SENSOR_NAMESPACE = "metaflow/sensor_name", "metaflow/sensor_namespace"
_SAYS = {
    401: "it does not know who asks",
    403: "it is not allowed",
    404: "there is no such thing",
    409: "somebody else changed it meanwhile",
    410: "the list changed while it was read",
}


class MissingError(DeployError):
    """There is no such object."""


class ConflictingError(DeployError):
    """The object is not as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The objects of one namespace, and the sensors of another where Argo Events has one."""

    namespace: str
    sensor_namespace: str
    api: Any  # kubernetes.client.CustomObjectsApi
    seconds: float

    def get(self, key: Key) -> Document | None:
        """The object, or None. Raises DeployError."""
        try:
            return self._ask(self.api.get_namespaced_custom_object, _named(key), f"reading {key}")
        except MissingError:
            return None

    def create(self, key: Key, document: Document) -> None:
        """Raises ConflictingError where it is there already, DeployError."""
        words = {"namespace": key.namespace, "plural": key.plural, "body": dict(document)}
        self._ask(self.api.create_namespaced_custom_object, words, f"creating {key}")

    def replace(self, key: Key, document: Document, *, version: str) -> None:
        """Replace the object as it is at `version`. Raises ConflictingError where it no longer is, DeployError."""
        body = {**document, "metadata": {**document["metadata"], "resourceVersion": version}}
        self._ask(self.api.replace_namespaced_custom_object, {**_named(key), "body": body}, f"changing {key}")

    def delete(self, key: Key) -> None:
        """Delete the object; it may be gone already. Raises DeployError."""
        try:
            self._ask(self.api.delete_namespaced_custom_object, _named(key), f"deleting {key}")
        except MissingError:
            return

    def listed(self, plural: str, **selected: str) -> Iterator[Document]:
        """All objects of a kind in the namespace. Raises DeployError."""
        words: dict[str, Any] = {"namespace": self.namespace, "plural": plural, "limit": _PAGE, **selected}
        while True:
            page = self._ask(self.api.list_namespaced_custom_object, words, f"listing {plural} of {self.namespace}")
            yield from page.get("items", ())
            words["_continue"] = page.get("metadata", {}).get("continue")
            if not words["_continue"]:
                return

    def submit(self, document: Document) -> str:
        """Start a workflow, and give its name. Raises DeployError."""
        words = {"namespace": self.namespace, "plural": WORKFLOWS, "body": dict(document)}
        return str(
            self._ask(self.api.create_namespaced_custom_object, words, "starting a workflow")["metadata"]["name"]
        )

    def _ask(self, call: Callable[..., Any], words: Mapping[str, Any], doing: str) -> dict[str, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            found = call(group=GROUP, version=VERSION, _request_timeout=self.seconds, **words)
        except ApiException as err:
            raise _refused(err, doing) from err
        except (HTTPError, OSError) as err:
            raise _unreachable(err, doing, self.seconds) from err
        except ValueError as err:
            raise DeployError(f"{doing}: Kubernetes gave an answer that cannot be read") from err
        if not isinstance(found, dict):
            raise DeployError(f"{doing}: Kubernetes gave an answer that cannot be read")
        return found


def cluster(target: Target) -> Cluster:
    """Kubernetes as Metaflow's own client reaches it. Raises DeployError where nothing says which."""
    from kubernetes.config import ConfigException
    from metaflow import metaflow_config
    from metaflow.plugins.kubernetes.kubernetes_client import KubernetesClient
    from yaml import YAMLError

    try:
        client = KubernetesClient().get()
        configuration = client.Configuration.get_default_copy()
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as err:
        raise DeployError(
            f"no Kubernetes is configured: {_line(err)}",
            expected="a kubeconfig, or a pod with a service account",
            where="KUBECONFIG",
        ) from err
    configuration.retries = False  # a write that was cut off is looked at, not written again
    namespace = target.settings.platform.namespace or metaflow_config.KUBERNETES_NAMESPACE
    return Cluster(
        namespace=namespace,
        sensor_namespace=_told(
            metaflow_config.ARGO_EVENTS_SENSOR_NAMESPACE, metaflow_config.KUBERNETES_NAMESPACE, namespace
        ),
        api=client.CustomObjectsApi(client.ApiClient(configuration)),
        seconds=read_timeout(SECONDS_VARIABLE, otherwise=SECONDS),
    )


def deployed(cluster: Cluster, target: Target) -> dict[Key, Document]:
    """Every object of this project and branch that is there. Raises DeployError."""
    templates = {
        str(one["metadata"]["name"]): one
        for one in cluster.listed(PLURALS["WorkflowTemplate"])
        if _belongs(one, target)
    }
    found = {}
    for name in sorted({*templates, *target.template_names().values()}):
        keys = [Key(namespace=cluster.namespace, name=name, plural=PLURALS["CronWorkflow"])]
        keys.append(_sensor(cluster, name, templates.get(name)))
        if name in templates:
            found[Key(namespace=cluster.namespace, name=name, plural=PLURALS["WorkflowTemplate"])] = templates[name]
        else:
            keys.append(Key(namespace=cluster.namespace, name=name, plural=PLURALS["WorkflowTemplate"]))
        for key in keys:
            held = cluster.get(key)
            if held is not None:
                found[key] = held
    return found


def notes(document: Document) -> Mapping[str, str]:
    """The annotations of an object."""
    found: Mapping[str, str] = document["metadata"].get("annotations") or {}
    return found


def _belongs(document: Document, target: Target) -> bool:
    told = notes(document)
    return (told.get("metaflow/project_name"), told.get("metaflow/branch_name")) == (
        target.project,
        target.project_branch,
    )


def _sensor(cluster: Cluster, template: str, document: Document | None) -> Key:
    """Where Metaflow put the sensor of a template, or would put it."""
    told = notes(document) if document else {}
    return Key(
        namespace=told.get(_SENSOR_NAMESPACE) or cluster.sensor_namespace,
        name=told.get(_SENSOR_NAME) or template.replace(".", "-"),
        plural=PLURALS["Sensor"],
    )


def _told(sensors: str, workflows: str, namespace: str) -> str:
    """The namespace of sensors: where Metaflow's configuration names none, it is that of the workflows."""
    return namespace if sensors == workflows else sensors


def _named(key: Key) -> dict[str, str]:
    return {"namespace": key.namespace, "plural": key.plural, "name": key.name}


def _refused(err: Any, doing: str) -> DeployError:
    try:
        said = str(json.loads(err.body)["message"])
    except (ValueError, TypeError, KeyError):
        said = str(err.reason or "")
    kind = {404: MissingError, 409: ConflictingError}.get(err.status, DeployError)
    told = _SAYS.get(err.status, "it failed")
    return kind(f"{doing}: Kubernetes answers {err.status}, {told}: {' '.join(said.split())[:200]}")


def _unreachable(err: Exception, doing: str, seconds: float) -> DeployError:
    slow = "timed out" in str(err).lower()
    return DeployError(
        f"{doing}: Kubernetes cannot be reached: {'no answer' if slow else _line(err)}",
        expected=f"an answer within {seconds:g} s" if slow else "",
        where="KUBECONFIG",
    )


def _line(err: Exception) -> str:
    return " ".join(str(err).split())[:160] or type(err).__name__
