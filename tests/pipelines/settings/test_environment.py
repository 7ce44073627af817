"""What a process that runs the code of a model gets of an environment: what is listed, and never what signs."""

from __future__ import annotations

import pytest

from lockgate.gates.errors import SettingsError
from lockgate.gates.strictness import Direction, compare_records
from lockgate.pipelines.promotion.log import SIGNING_KEY_FILE_VARIABLE, SIGNING_KEY_VARIABLE
from lockgate.pipelines.settings.environment import restrict_environment, restrict_model_environment
from lockgate.pipelines.settings.settings import Settings, compose

NEEDED = (
    "PATH",
    "HOME",
    "TMPDIR",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "OMP_NUM_THREADS",
    "METAFLOW_SERVICE_HEADERS",
    "METAFLOW_DATASTORE_SYSROOT_S3",
    "METAFLOW_USER",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_SECRET_ACCESS_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_KEY",
    "KUBERNETES_SERVICE_HOST",
    "KUBECONFIG",
    "OBP_PERIMETER",
    "https_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "LD_LIBRARY_PATH",
    "LOCKGATE_CONF",
    "LOCKGATE_LOG",
    "LOCKGATE_DEBUG",
    "LOCKGATE_STORE_SECONDS",
    "LOCKGATE_METADATA_SECONDS",
    "LOCKGATE_COMMIT",
    "LOCKGATE_NOBODY",
    "XDG_CONFIG_HOME",
)
SECRET = (
    SIGNING_KEY_VARIABLE,
    SIGNING_KEY_FILE_VARIABLE,
    f"{SIGNING_KEY_VARIABLE}_OLD",
    "GITHUB_TOKEN",
    "GITHUB_ENV",
    "GITHUB_OUTPUT",
    "GH_TOKEN",
    "ARGO_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "PGPASSWORD",
    "REDISCLI_AUTH",
    "SLACK_WEBHOOK",
    "LOCKGATE_MAKE_OVERRIDES",
    "LOCKGATE_OTHER",
    "path",
    "",
)
NEVER = (
    SIGNING_KEY_VARIABLE,
    SIGNING_KEY_FILE_VARIABLE,
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ARGO_TOKEN",
    "GH_TOKEN",
    "GITHUB_TOKEN",
)
EVERYTHING = dict.fromkeys((*NEEDED, *SECRET), "1")


@pytest.mark.parametrize("flow", ["evaluate", "reverify", ""])
def test_a_flow_gets_what_it_needs_and_nothing_that_nobody_listed(flow: str) -> None:
    assert sorted(restrict_environment(EVERYTHING, declared=(), flow=flow)) == sorted(NEEDED)


def test_who_publishes_predictions_gets_the_stores_password() -> None:
    assert set(restrict_environment(EVERYTHING, declared=(), flow="predict")) == {
        *NEEDED,
        "PGPASSWORD",
        "REDISCLI_AUTH",
    }


def test_what_the_platform_lists_is_there_too_but_what_signs_never_is() -> None:
    assert set(restrict_environment(EVERYTHING, declared=("SLACK_WEBHOOK", *NEVER))) == {*NEEDED, "SLACK_WEBHOOK"}


def test_what_scores_a_model_gets_no_credential_of_any_kind() -> None:
    environment = restrict_model_environment({**EVERYTHING, "OMP_NUM_THREADS": "64"})
    assert environment.pop("OMP_NUM_THREADS") == environment.pop("OPENBLAS_NUM_THREADS") == "1"
    shared = {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONHASHSEED", "LD_LIBRARY_PATH"}
    assert set(environment) == shared


def platform(**changes: object) -> Settings:
    plain = compose().settings.model_dump(mode="json")
    return Settings.parse({**plain, "platform": {**plain["platform"], **changes}})


def test_a_variable_of_this_machine_is_named_by_the_platforms_owners_and_reviewed() -> None:
    after = platform(environment={"SOURCE_PASSWORD": None})
    assert after.platform.environment == {"SOURCE_PASSWORD": None}
    (change,) = compare_records(compose().settings, after, "")
    assert (change.direction, change.where) == (Direction.REVIEW, "platform.environment")


@pytest.mark.parametrize("value", [None, "text"])
@pytest.mark.parametrize("name", NEVER)
def test_what_signs_cannot_be_listed(name: str, value: str | None) -> None:
    with pytest.raises(SettingsError, match=f"environment.{name} belongs to the judge") as caught:
        platform(environment={name: value})
    assert "\n" not in str(caught.value)


def test_a_secret_is_not_written_down_and_pods_have_no_machine_to_take_it_from() -> None:
    with pytest.raises(SettingsError, match=r"environment.SOURCE_PASSWORD looks like a secret: .* give null"):
        platform(environment={"SOURCE_PASSWORD": "s3cr3t"})
    with pytest.raises(
        SettingsError, match=r"environment.SOURCE_PASSWORD is null, but pods have no value of their own"
    ):
        platform(environment={"SOURCE_PASSWORD": None}, kind="argo", data_root="datastore")
