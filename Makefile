# Reprofile: what people and CI run. `make` lists the targets.
#
# One feature set and one target folder for everything in the dev profile: demo and tests share one build.

# MiniStack, boto3, cfn-lint and pytest, pinned; made by the first target that needs it.
VENV   := .venv
PYTHON := $(VENV)/bin/python
LOCAL  := tests/local_aws

.DEFAULT_GOAL := help
.PHONY: help demo test test-core test-rust test-local lint build function release package speed completions man clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | column -t -s "$$(printf '\t')"

demo: function $(VENV)/ready ## break and heal an instance on a local AWS, told as a story
	$(PYTHON) $(LOCAL)/demo.py --bootstrap target/debug/bootstrap

test: test-rust test-local ## run every test

test-core: ## run the Rust tests that need no AWS SDK, with a part of the random cases and kills; test-rust tries them all
	REPROFILE_TESTS=quick cargo test --locked -p reprofile-core -p reprofile-command-line -p reprofile-simulated-aws

test-rust: ## run every Rust test: those of test-core, and the adapters
	cargo test --locked --workspace

test-local: build $(VENV)/ready ## run the end-to-end tests: the real function, deployed on a local AWS
	$(VENV)/bin/pytest $(LOCAL)

lint: $(VENV)/ready ## formatting, clippy, rustdoc and the template, warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	$(VENV)/bin/cfn-lint template.yaml

build: ## build everything as the tests do; the first time takes about ten minutes
	@test -x target/debug/bootstrap || echo "Building. The AWS SDK takes most of about ten minutes the first time; cargo shows how far it is."
	cargo build --locked --workspace --all-targets

# With --workspace the features are those of the tests, so that the SDK is compiled once; --bin leaves out what only the
# command line and the tests need.
function: ## build the function alone, as the tests do
	@test -x target/debug/bootstrap || echo "Building. The AWS SDK takes most of about ten minutes the first time; cargo shows how far it is."
	cargo build --locked --workspace --bin bootstrap

release: ## build the function as it is deployed, for this machine's architecture
	cargo build --locked --release --bin bootstrap

# BOOTSTRAP=PATH packages one that was built elsewhere, for either architecture.
package: $(if $(BOOTSTRAP),,release) $(VENV)/ready ## make target/package: zip, plain template, SBOM and checksums, for whoever installs it
	$(PYTHON) packaging/package.py --bootstrap $(or $(BOOTSTRAP),target/release/bootstrap)

speed: release $(VENV)/ready ## measure the release build's start, size, calls and memory against their limits
	$(PYTHON) tests/speed/speed.py --bootstrap target/release/bootstrap

completions: build ## write completions for bash, zsh and fish to target/completions
	mkdir -p target/completions
	target/debug/reprofile completions bash > target/completions/reprofile.bash
	target/debug/reprofile completions zsh > target/completions/_reprofile
	target/debug/reprofile completions fish > target/completions/reprofile.fish

man: build ## write the man pages to target/man
	mkdir -p target/man
	target/debug/reprofile man target/man

clean: ## remove what was built and installed
	cargo clean
	rm -rf $(VENV)

$(VENV)/ready: $(LOCAL)/requirements.txt
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
