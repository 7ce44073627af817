"""The environment of a process that runs a model's code: only what is listed here or in conf/platform.

The process that starts it may have the judge's key, tokens of a job, or passwords of other services. It is a list of
what is passed on, not of what is removed, because nobody can list every secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_NAMES = frozenset(
    (
        "HOME",
        "LOGNAME",
        "PATH",
        "PWD",
        "SHELL",
        "SUDO_USER",
        "TEMP",
        "TMP",
        "TMPDIR",
        "USER",
        "USERNAME",
        "VIRTUAL_ENV",
        "COLUMNS",
        "LANG",
        "LANGUAGE",
        "LINES",
        "NO_COLOR",
        "TERM",
        "TZ",
        "TZDIR",
        "ALL_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "all_proxy",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_DIR",
        "GIT_WORK_TREE",  # the commit is a fact of a run
        "BOTO_CONFIG",
        "KUBECONFIG",
        "LOCKGATE_COMMIT",
        "LOCKGATE_CONF",
        "LOCKGATE_DEBUG",
        "LOCKGATE_KUBERNETES_SECONDS",
        "LOCKGATE_LOG",
        "LOCKGATE_METADATA_SECONDS",
        "LOCKGATE_NOBODY",
        "LOCKGATE_STORE_SECONDS",
    )
)

_PREFIXES = (
    "LC_",
    "PYTHON",
    "XDG_",
    "LD_",
    "DYLD_",
    "MALLOC_",
    "BLIS_",
    "CUDA_",
    "GOTO_",
    "JOBLIB_",
    "KMP_",
    "LOKY_",
    "MKL_",
    "NUMBA_",
    "NUMEXPR_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "VECLIB_",
    "XGBOOST_",
    "METAFLOW_",
    "MF_",
    "ARGO_",
    "KUBERNETES_",
    "OBP_",
    "OB_",
    "OUTERBOUNDS_",
    "AWS_",
    "AZURE_",
    "CLOUDSDK_",
    "GCP_",
    "GOOGLE_",
)
"""Of Python, of numerical libraries, of Metaflow and the systems that it runs on, and of clouds that keep its data."""

_OF_FLOWS = {"predict": ("PG", "REDISCLI_")}
"""Prefixes that one flow gets in addition: writing predictions needs the store's password."""

_OF_THE_JUDGE = re.compile(r"LOCKGATE_SIGNING_KEY.*|ACTIONS_.*|ARGO_TOKEN|(GH|GITHUB)_(.*_)?TOKEN")


def belongs_to_judge(name: str) -> bool:
    """Whether a variable holds a key or token of the judge. No process with a model's code gets it, listed or not."""
    return _OF_THE_JUDGE.fullmatch(name) is not None


def restrict_environment(
    environment: Mapping[str, str], *, declared: Collection[str], flow: str = ""
) -> dict[str, str]:
    """The part of this environment that a process with a model's code gets.

    Args:
        declared: further names, from `platform.environment`.
        flow: the name of the flow's file, if the process runs a flow.
    """
    prefixes = (*_PREFIXES, *_OF_FLOWS.get(flow, ()))
    return {
        name: value
        for name, value in environment.items()
        if (name in _NAMES or name in declared or name.startswith(prefixes)) and not belongs_to_judge(name)
    }


_OF_A_MODEL = ("HOME", "LANG", "LANGUAGE", "PATH", "TEMP", "TMP", "TMPDIR", "TZ", "TZDIR", "VIRTUAL_ENV")
_PREFIXES_OF_A_MODEL = ("LC_", "PYTHON", "LD_", "DYLD_", "BLIS_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "VECLIB_")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def restrict_model_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of this environment that a process gets which scores a model from its bytes: no credential of any kind.

    Such a process reads no data and no store, so it needs neither clouds nor Metaflow, nor what a platform declares.
    Its libraries use one thread, as scoring does anyway: threads of their own would not survive a fork.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if (name in _OF_A_MODEL or name.startswith(_PREFIXES_OF_A_MODEL)) and not belongs_to_judge(name)
    }
    return {**kept, **dict.fromkeys(_ONE_THREAD, "1")}
