"""What operators type: `python app.py COMMAND`. Help in Chinese and English; 0 good, 2 wrong use, 1 one sentence."""

from __future__ import annotations

import sys

import click
from sqlalchemy.exc import SQLAlchemyError

from commands import (
    accounts,
    asking,
    audiences,
    auditing,
    data,
    doctor,
    keeping,
    keys,
    outbox,
    papers,
    rules,
    serving,
    templates,
)
from errors import AssistantError


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="法学会助手：微信公众号与小程序的后台。不带命令等于 run。\n\nThe WeChat assistant of a law society; without a command: run.",
)
@click.pass_context
def cli(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        context.invoke(serving.run)


for command in (
    *serving.COMMANDS, *asking.COMMANDS, *data.COMMANDS, *papers.COMMANDS, *outbox.COMMANDS, *audiences.COMMANDS,
    *templates.COMMANDS, *keeping.COMMANDS, *keys.COMMANDS, *rules.COMMANDS, *auditing.COMMANDS, *accounts.COMMANDS, *doctor.COMMANDS,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """Run a command; what goes wrong on purpose is one sentence on stderr."""
    try:
        cli.main(prog_name="app.py", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except AssistantError as error:
        print(f"错误：{error}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(1)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        print(f"错误：数据库操作失败：{reason}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
