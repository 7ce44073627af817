# The menu: `make` alone prints it. The work is done by the console command `lockgate` and by requirements/*.sh.

PYTHON := python3
LOCKGATE = $(.venv)/bin/lockgate
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

# --- what was typed as name=value -------------------------------------------------------------------------------
# `make evaluate model=xgb model.max_depth=4` hands every such pair to Python as it was typed. A value is only ever
# read with $(value), so make does not expand it, and it travels in the environment, so the shell does not either:
# `$(shell …)`, backticks, quotes and `;` inside it stay text, and Python decides whether it is acceptable.
# Names that start with a dot are this file's own; a name must never come from somebody else, as make expands it.

.arguments := run window key with extra dry_run out branch flow without_champion authorize
.given := $(foreach .v,$(.VARIABLES),$(if $(findstring command line,$(origin $(.v))),$(.v)))
unexport $(.given)

# A name with a small letter in it, or that does not start with a capital one, is an override: PYTHON is not.
.small := a b c d e f g h i j k l m n o p q r s t u v w x y z
.capital := A% B% C% D% E% F% G% H% I% J% K% L% M% N% O% P% Q% R% S% T% U% V% W% X% Y% Z%
.is_override = $(strip $(filter-out $(.capital),$(.v)) $(foreach .c,$(.small),$(findstring $(.c),$(.v))))
.overrides := $(sort $(foreach .v,$(filter-out $(.arguments),$(.given)),$(if $(.is_override),$(.v))))

define .newline


endef
$(foreach .v,$(.given),$(if $(findstring $(.newline),$(value $(.v))),$(error $(.v): a value is a single line)))

# One `name=value` a line. $(foreach) joins with blanks, which $(subst) takes away from the start of the lines.
.lines := $(foreach .v,$(.overrides),$(.v)=$(value $(.v))$(.newline))
override LOCKGATE_MAKE_OVERRIDES := $(subst $(.newline) ,$(.newline),$(.lines))
export LOCKGATE_MAKE_OVERRIDES

.argument = $(if $(filter $1,$(.given)),$(value $1))
override GIVEN_RUN := $(call .argument,run)
override GIVEN_WINDOW := $(call .argument,window)
override GIVEN_KEY := $(call .argument,key)
override GIVEN_WITH := $(call .argument,with)
override GIVEN_OUT := $(call .argument,out)
override GIVEN_BRANCH := $(call .argument,branch)
override GIVEN_PLATFORM := $(call .argument,platform)
override GIVEN_FLOW := $(call .argument,flow)
override GIVEN_AUTHORIZE := $(call .argument,authorize)
override GIVEN_DRY_RUN := $(filter-out 0 no false,$(call .argument,dry_run))
override GIVEN_WITHOUT_CHAMPION := $(filter-out 0 no false,$(call .argument,without_champion))
export GIVEN_RUN GIVEN_WINDOW GIVEN_KEY GIVEN_WITH GIVEN_OUT GIVEN_BRANCH GIVEN_PLATFORM GIVEN_FLOW
export GIVEN_AUTHORIZE GIVEN_DRY_RUN GIVEN_WITHOUT_CHAMPION

.production := manifests deploy-prod status-prod trigger-prod undeploy-prod

# What each target takes; anything else that was typed is refused, not ignored. `extra` chooses the environment.
$(foreach .g,setup image evaluate judge reverify selftest predict demo champion history predictions $(.production),$(eval .takes.$(.g) := extra))
.takes.evaluate += $(.overrides) with
.takes.judge += run
.takes.reverify += $(.overrides)
.takes.selftest += $(.overrides)
.takes.predict += run window with
.takes.predictions += key
$(foreach .g,$(.production),$(eval .takes.$(.g) += branch platform))
.takes.manifests += out
.takes.deploy-prod += dry_run without_champion authorize
.takes.trigger-prod += flow window run
.takes.undeploy-prod += dry_run authorize
.goals := $(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))
.taken := $(foreach .g,$(.goals),$(.takes.$(.g)))
.unknown := $(filter-out $(.taken),$(.overrides) $(filter $(.arguments),$(.given)))
$(if $(.unknown),$(error make $(.goals) does not take: $(.unknown)))

# --- environments -----------------------------------------------------------------------------------------------
# A stamp says which lock was installed; it is stale when the lock or pyproject.toml is newer. The extra
# `outerbounds` has an environment of its own, because both extras install the module `metaflow`.
.extra := $(or $(call .argument,extra),metaflow)
$(if $(filter-out metaflow outerbounds,$(.extra))$(word 2,$(.extra)),$(error extra: expected metaflow or outerbounds))
.venv := .venv$(if $(filter outerbounds,$(.extra)),-outerbounds)
.installed := requirements/build.txt requirements/install.sh pyproject.toml

# HOLD (1) and INCONCLUSIVE (3) are answers. make has one way to end with another code than 0, which looks like a crash,
# and a job must not go on as if the model were promoted: so the answer is said, and the code stays.
.or_say = || { code=$$?; case $$code in 1) set -- HOLD;; 3) set -- INCONCLUSIVE;; *) exit $$code;; esac; \
  echo "lockgate: $$1 is the answer, and nothing has crashed: make reports as an error whatever is not PROMOTE" >&2; exit $$code; }

# of the commands for production
.where := $${GIVEN_BRANCH:+"--branch=$$GIVEN_BRANCH"} $${GIVEN_PLATFORM:+"--platform=$$GIVEN_PLATFORM"}

override PYTHON := $(value PYTHON)
export PYTHON

# Whatever the environment says, as images of containers often do: every command starts further processes, and without
# cached bytecode each compiles all that it imports. Half of the time of the tests went there.
unexport PYTHONDONTWRITEBYTECODE

# Metaflow wants the name of a user, other than root; containers often have none.
.user := $(filter-out root,$(value METAFLOW_USER) $(value SUDO_USER) $(value USERNAME) $(value USER))
ifeq ($(.user),)
export METAFLOW_USER := $(or $(filter-out root,$(value LOGNAME)),lockgate)
ifeq ($(filter-out root,$(value LOGNAME)),)
export LOCKGATE_NOBODY := 1
endif
endif

.PHONY: image nightly help setup evaluate judge reverify selftest predict champion history predictions demo test test-commands check bench simulate races mutate clean manifests deploy-prod status-prod trigger-prod undeploy-prod lock
.PHONY: core comment runtime dev lint types imports workflows test-busy

##@ Start here
help: ## Print this menu
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: runtime ## Create .venv with everything that is needed (extra=outerbounds for that platform)

evaluate: runtime ## Train, evaluate, judge and promote a model (model=xgb model.max_depth=4 as_of=2013-10 with=card)
	@$(LOCKGATE) evaluate --overrides-from-make $${GIVEN_WITH:+"--with=$$GIVEN_WITH"} $(.or_say)

judge: runtime ## Judge a run again, without training (run=EvaluateNewModel/123)
	@$(LOCKGATE) judge -- $${GIVEN_RUN:+"$$GIVEN_RUN"} $(.or_say)

reverify: runtime ## Judge the champion again, by today's policy on fresh rows (as_of=2013-11)
	@$(LOCKGATE) reverify --overrides-from-make $(.or_say)

predict: runtime ## Publish predictions of the champion, or of a pinned run (window=2013-11 run=EvaluateNewModel/123)
	@$(LOCKGATE) predict $${GIVEN_WINDOW:+"--window=$$GIVEN_WINDOW"} \
	  $${GIVEN_RUN:+"--upstream-run-id=$$GIVEN_RUN"} $${GIVEN_WITH:+"--with=$$GIVEN_WITH"}

selftest: runtime ## Try the gates on equal models, planted gains and planted regressions (any override)
	@$(LOCKGATE) selftest --overrides-from-make

demo: runtime ## Play the flights story, month by month, in a directory of its own
	@$(LOCKGATE) demo

##@ Look
champion: runtime ## Show the model that reigns, and why
	@$(LOCKGATE) champion

history: runtime ## Show every decision in the promotion log
	@$(LOCKGATE) history

predictions: runtime ## List the published versions, or show one prediction (key=…)
	@if [ "$$GIVEN_KEY" ]; then $(LOCKGATE) predictions get -- "$$GIVEN_KEY"; else $(LOCKGATE) predictions versions; fi

##@ Produce
image: ## Build the image of the pods from the lock (extra=outerbounds); push it, and give conf/platform its digest
	@command -v docker >/dev/null || { echo 'lockgate: there is no docker to build the image with' >&2; exit 2; }
	@docker build --build-arg EXTRA=$(.extra) --tag lockgate-pods:$(.extra) .

manifests: runtime ## Write what production consists of as YAML, for GitOps (out=FOLDER branch=…)
	@mkdir -p build
	@$(LOCKGATE) manifests --out="$${GIVEN_OUT:-build/production}" $(.where)

deploy-prod: runtime ## Show what would change in production, and change it (dry_run=1 branch=… without_champion=1)
	@$(LOCKGATE) deploy $(.where) $${GIVEN_DRY_RUN:+--dry-run} $${GIVEN_WITHOUT_CHAMPION:+--without-champion} \
	  $${GIVEN_AUTHORIZE:+"--authorize=$$GIVEN_AUTHORIZE"}

status-prod: runtime ## Show what is deployed, what starts it, its last runs, and drift from this checkout (branch=…)
	@$(LOCKGATE) status $(.where)

trigger-prod: runtime ## Start a deployed flow (flow=Predict window=2013-11)
	@$(LOCKGATE) trigger $(.where) -- "$$GIVEN_FLOW" $${GIVEN_WINDOW:+"window=$$GIVEN_WINDOW"} $${GIVEN_RUN:+"run=$$GIVEN_RUN"}

undeploy-prod: runtime ## Delete triggers, schedules and templates of production, or of a branch (branch=… dry_run=1)
	@$(LOCKGATE) undeploy $(.where) $${GIVEN_DRY_RUN:+--dry-run} $${GIVEN_AUTHORIZE:+"--authorize=$$GIVEN_AUTHORIZE"}

##@ Develop
test: dev ## Run the tests
	@.venv/bin/python -m pytest --numprocesses auto

test-commands: dev ## Run the tests of whole commands beside servers, harnesses and kills
	@.venv/bin/python -m pytest -m commands --numprocesses auto

nightly: dev ## Run all tests that `make test` leaves out: those, the loop of production pod by pod, races, simulations
	@.venv/bin/python -m pytest -m "nightly or slow" --numprocesses auto

check: lint types imports workflows ## Check style, types, import arrows and the workflows

bench: dev ## Compare with a bare Metaflow flow that does the same work
	@.venv/bin/python -m bench

simulate: dev ## Measure what the gates promise, by simulation, and write docs/simulations.md
	@.venv/bin/python -m bench.simulations

races: dev ## Race fifty writers for one promotion log, two hundred rounds, on a disk and on S3
	@LOCKGATE_RACE_ROUNDS=200 .venv/bin/python -m pytest -m "nightly or not nightly" tests/gates/log/test_race.py

mutate: .venv/.mutate ## Change the judging code in thousands of places and see that a test notices
	@.venv/bin/python -m bench.mutants

lock: ## Resolve requirements/*.txt again
	@sh requirements/lock.sh

clean: ## Remove caches and build products; .venv, .metaflow and predictions.db stay
	@rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name '.venv*' -prune -o -name .metaflow -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# --- not in the menu --------------------------------------------------------------------------------------------
runtime: $(.venv)/.$(.extra)
dev: .venv/.dev

test-busy: dev # the tests beside thirty busy processes: none may depend on how fast it is
	@.venv/bin/python -m bench.busy

core: .venv-core/.core # the judge alone, for action.yml
comment: .venv-comment/.comment # and what writes its report to GitHub

.venv-core/.core: requirements/core.txt $(.installed)
	@sh requirements/install.sh core .venv-core

.venv-comment/.comment: requirements/comment.txt $(.installed)
	@sh requirements/install.sh comment .venv-comment

.venv/.mutate: requirements/mutate.txt .venv/.dev
	@sh requirements/install.sh mutate .venv

.venv/.dev: requirements/dev.txt $(.installed)
	@sh requirements/install.sh dev .venv

$(.venv)/.$(.extra): requirements/$(.extra).txt $(.installed)
	@sh requirements/install.sh $(.extra) $(.venv)

lint: dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: dev
	@.venv/bin/mypy

imports: dev
	@.venv/bin/lint-imports

workflows: dev
	@.venv/bin/zizmor --offline --persona auditor .github action.yml
	@.venv/bin/actionlint -shellcheck= -pyflakes=
