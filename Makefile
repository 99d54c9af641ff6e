# 法学会助手 — two commands are promised: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test check fix demo bench drill shots vendor lock clean
.DEFAULT_GOAL := help

help:  ## 这张表 · this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements-dev.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "安装依赖（锁定版本） · installing locked dependencies …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(VENV)/.installed  ## 装好、建库、装演示数据、启动机器人和本地微信 · everything, in the foreground
	@$(BIN)/python -m demo

test: $(VENV)/.installed  ## 全部测试 · the whole test suite
	@$(BIN)/python -m pytest -q -n auto --dist loadgroup

check: $(VENV)/.installed  ## 代码检查：ruff、mypy（strict） · linters and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

fix: $(VENV)/.installed  ## 自动整理代码 · format and mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

demo: $(VENV)/.installed  ## 只装演示数据 · load the demo data only
	@$(BIN)/python app.py demo

bench: $(VENV)/.installed  ## 周五签到风暴、群发、收件范围、导入，与参照系并测；控制台页面 · the storm, the sending, the audience, imports, beside others; the console's pages
	@status=0; for what in storm fanout audience imports; do $(BIN)/python -m bench $$what || status=1; done; \
	$(BIN)/python -m tests.console.timed || status=1; exit $$status

drill: $(VENV)/.installed  ## 演练：边发通知边 kill -9，看有没有人漏收、收两次 · kill the senders, count what people got
	@$(BIN)/python -m bench drill

shots: $(VENV)/.installed  ## 控制台每一页在三种宽度下的截图（需要 chromium） · a picture of every console page
	@$(BIN)/python -m tests.console.shots

vendor: $(VENV)/.installed  ## 重新取控制台用的前端文件（需要 npm） · fetch what the console's pages are made of
	@$(BIN)/python -m admin.vendor

lock: $(VENV)/.installed  ## 重新锁定依赖 · lock the dependencies anew (needs uv)
	uv pip compile -q pyproject.toml --generate-hashes --no-emit-index-url --python-version 3.11 -o requirements.txt
	uv pip compile -q pyproject.toml --extra dev --generate-hashes --no-emit-index-url --python-version 3.11 -o requirements-dev.txt

clean:  ## 删除环境和数据 · remove the environment and the data
	rm -rf $(VENV) data build .pytest_cache .mypy_cache .ruff_cache .hypothesis
