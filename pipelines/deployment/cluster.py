"""Kubernetes as Metaflow is configured to reach it, with a time limit, and errors in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.gates.errors import DeployError
from lockgate.gates.runs import metaflow_api
from lockgate.gates.runs.metadata import read_timeout
from lockgate.pipelines.deployment.objects import GROUP, PLURALS, VERSION, Document, ObjectKey
from lockgate.pipelines.deployment.target import DeployTarget

KUBERNETES_TIMEOUT_S = 20.0
"""Time limit of one request; the variable below changes it."""

TIMEOUT_VARIABLE = "LOCKGATE_KUBERNETES_SECONDS"

WORKFLOWS = "workflows"
_PAGE_SIZE = 200
_SENSOR_NAME, _SENSOR_NAMESPACE = "metaflow/sensor_name", "metaflow/sensor_namespace"
_MEANINGS = {
    401: "the credentials are not accepted",
    403: "this is not allowed",
    404: "there is no such object",
    409: "somebody else changed it meanwhile",
    410: "the list changed while it was read",
}


class MissingError(DeployError):
    """There is no such object."""


class ConflictingError(DeployError):
    """The object is not as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The objects of one namespace, and of another one for sensors if Argo Events has its own."""

    namespace: str
    sensor_namespace: str
    api: Any  # kubernetes.client.CustomObjectsApi
    seconds: float

    def get(self, key: ObjectKey) -> Document | None:
        """The object, or None. Raises DeployError."""
        try:
            return self._ask(self.api.get_namespaced_custom_object, _address(key), f"reading {key}")
        except MissingError:
            return None

    def create(self, key: ObjectKey, document: Document) -> None:
        """Create the object. Raises ConflictingError if it exists already, DeployError."""
        words = {"namespace": key.namespace, "plural": key.plural, "body": dict(document)}
        self._ask(self.api.create_namespaced_custom_object, words, f"creating {key}")

    def replace(self, key: ObjectKey, document: Document, *, version: str) -> None:
        """Replace the object at `version`. Raises ConflictingError if it has changed since, DeployError."""
        body = {**document, "metadata": {**document["metadata"], "resourceVersion": version}}
        self._ask(self.api.replace_namespaced_custom_object, {**_address(key), "body": body}, f"changing {key}")

    def delete(self, key: ObjectKey) -> None:
        """Delete the object, if it still exists. Raises DeployError."""
        try:
            self._ask(self.api.delete_namespaced_custom_object, _address(key), f"deleting {key}")
        except MissingError:
            return

    def list_objects(self, plural: str, **selected: str) -> Iterator[Document]:
        """All objects of a kind in the namespace. Raises DeployError."""
        words: dict[str, Any] = {"namespace": self.namespace, "plural": plural, "limit": _PAGE_SIZE, **selected}
        while True:
            page = self._ask(self.api.list_namespaced_custom_object, words, f"listing {plural} of {self.namespace}")
            yield from page.get("items", ())
            words["_continue"] = page.get("metadata", {}).get("continue")
            if not words["_continue"]:
                return

    def submit(self, document: Document) -> str:
        """Start a workflow, and return its name. Raises DeployError."""
        words = {"namespace": self.namespace, "plural": WORKFLOWS, "body": dict(document)}
        return str(
            self._ask(self.api.create_namespaced_custom_object, words, "starting a workflow")["metadata"]["name"]
        )

    def _ask(self, call: Callable[..., Any], words: Mapping[str, Any], doing: str) -> dict[str, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer = call(group=GROUP, version=VERSION, _request_timeout=self.seconds, **words)
        except ApiException as err:
            raise _refusal_error(err, doing) from err
        except (HTTPError, OSError) as err:
            raise _unreachable_error(err, doing, self.seconds) from err
        except ValueError as err:
            raise DeployError(f"{doing}: Kubernetes sent an unreadable answer") from err
        if not isinstance(answer, dict):
            raise DeployError(f"{doing}: Kubernetes sent an unreadable answer")
        return answer


def connect_cluster(target: DeployTarget) -> Cluster:
    """Connect as Metaflow's own client does. Raises DeployError if no cluster is configured."""
    from kubernetes.config import ConfigException
    from yaml import YAMLError

    try:
        client = metaflow_api.connect_kubernetes()
        configuration = client.Configuration.get_default_copy()
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as err:
        raise DeployError(
            f"Kubernetes is not configured: {_line(err)}",
            expected="a kubeconfig, or a pod with a service account",
            where="KUBECONFIG",
        ) from err
    configuration.retries = False  # after a lost answer the object is read, not written again
    namespace = target.settings.platform.namespace or metaflow_api.read_setting("KUBERNETES_NAMESPACE")
    return Cluster(
        namespace=namespace,
        sensor_namespace=_sensor_namespace(
            metaflow_api.read_setting("ARGO_EVENTS_SENSOR_NAMESPACE"),
            metaflow_api.read_setting("KUBERNETES_NAMESPACE"),
            namespace,
        ),
        api=client.CustomObjectsApi(client.ApiClient(configuration)),
        seconds=read_timeout(TIMEOUT_VARIABLE, otherwise=KUBERNETES_TIMEOUT_S),
    )


def find_deployed(cluster: Cluster, target: DeployTarget) -> dict[ObjectKey, Document]:
    """Every deployed object of this project and branch. Raises DeployError."""
    templates = {
        str(template["metadata"]["name"]): template
        for template in cluster.list_objects(PLURALS["WorkflowTemplate"])
        if _belongs(template, target)
    }
    documents = {}
    for name in sorted({*templates, *target.template_names().values()}):
        keys = [ObjectKey(namespace=cluster.namespace, name=name, plural=PLURALS["CronWorkflow"])]
        keys.append(_sensor_key(cluster, name, templates.get(name)))
        if name in templates:
            documents[ObjectKey(namespace=cluster.namespace, name=name, plural=PLURALS["WorkflowTemplate"])] = (
                templates[name]
            )
        else:
            keys.append(ObjectKey(namespace=cluster.namespace, name=name, plural=PLURALS["WorkflowTemplate"]))
        for key in keys:
            document = cluster.get(key)
            if document is not None:
                documents[key] = document
    return documents


def read_annotations(document: Document) -> Mapping[str, str]:
    """The annotations of an object."""
    annotations: Mapping[str, str] = document["metadata"].get("annotations") or {}
    return annotations


def _belongs(document: Document, target: DeployTarget) -> bool:
    annotations = read_annotations(document)
    return (annotations.get("metaflow/project_name"), annotations.get("metaflow/branch_name")) == (
        target.project,
        target.project_branch,
    )


def _sensor_key(cluster: Cluster, template: str, document: Document | None) -> ObjectKey:
    """Where Metaflow puts the sensor of a template."""
    annotations = read_annotations(document) if document else {}
    return ObjectKey(
        namespace=annotations.get(_SENSOR_NAMESPACE) or cluster.sensor_namespace,
        name=annotations.get(_SENSOR_NAME) or template.replace(".", "-"),
        plural=PLURALS["Sensor"],
    )


def _sensor_namespace(sensors: str, workflows: str, namespace: str) -> str:
    """The namespace of sensors: that of the workflows, unless Metaflow's configuration names another."""
    return namespace if sensors == workflows else sensors


def _address(key: ObjectKey) -> dict[str, str]:
    return {"namespace": key.namespace, "plural": key.plural, "name": key.name}


def _refusal_error(err: Any, doing: str) -> DeployError:
    try:
        message = str(json.loads(err.body)["message"])
    except (ValueError, TypeError, KeyError):
        message = str(err.reason or "")
    kind = {404: MissingError, 409: ConflictingError}.get(err.status, DeployError)
    meaning = _MEANINGS.get(err.status, "it failed")
    return kind(f"{doing}: Kubernetes answers {err.status}, {meaning}: {' '.join(message.split())[:200]}")


def _unreachable_error(err: Exception, doing: str, seconds: float) -> DeployError:
    slow = "timed out" in str(err).lower()
    return DeployError(
        f"{doing}: Kubernetes cannot be reached: {'no answer' if slow else _line(err)}",
        expected=f"an answer within {seconds:g} s" if slow else "",
        where="KUBECONFIG",
    )


def _line(err: Exception) -> str:
    return " ".join(str(err).split())[:160] or type(err).__name__
