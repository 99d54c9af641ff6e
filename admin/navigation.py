"""Who sees what: every section of the console, its Chinese, its first page, and the roles that may enter it.

The menu is drawn from this list, and `guard` refuses by it; a page belongs to one section.
"""

from __future__ import annotations

from dataclasses import dataclass

from models import Role

OFFICES = frozenset({Role.OFFICE, Role.COUNTY_OFFICE})
EVERYBODY = frozenset(role for role in Role if role.opens_the_desk)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the console. Without a label it stands in no menu."""

    endpoint: str
    label: str
    roles: frozenset[Role]
    group: str = ""


TODAY = Section("console.today", "今日", EVERYBODY)
SEARCH = Section("console.search", "搜索", EVERYBODY)
BRANCHES = Section("console.branches", "支部", EVERYBODY, "组织")
#: The life and the details of branches, with a reason.
KEEPING = Section("console.branches", "支部", OFFICES, "组织")
#: Party groups; a secretary forms those of the own branch.
GROUPING = Section("console.branches", "支部", OFFICES | {Role.SECRETARY}, "组织")
#: What leads the branches, and the branches under it as one tree.
TREE = Section("console.organisations", "组织体系", OFFICES | {Role.AUDITOR}, "组织")
TREE_CHANGE = Section("console.organisations", "组织体系", OFFICES, "组织")
PEOPLE = Section("console.people", "人员", OFFICES | {Role.SECRETARY, Role.AUDITOR}, "人员")
#: Numbers in the clear, for a reason; the auditor reads who looked, not the numbers.
PHONES = Section("console.people", "人员", OFFICES | {Role.SECRETARY}, "人员")
#: Changing the roll: within one's own branch, county or the city (services/scope.py).
ROLL = Section("console.people", "人员", OFFICES | {Role.SECRETARY}, "人员")
#: Posts and edited names: the offices.
ROLL_OFFICE = Section("console.people", "人员", OFFICES, "人员")
TERMS = Section("console.terms", "任期", OFFICES | {Role.AUDITOR}, "人员")
#: What is kept of a committee's election; the auditor reads.
ELECTIONS = Section("console.elections", "选举", OFFICES | {Role.SECRETARY, Role.AUDITOR}, "组织")
ELECTIONS_WRITE = Section("console.elections", "选举", OFFICES | {Role.SECRETARY}, "组织")
#: Taking back what is recorded, with a reason.
ELECTIONS_SET_ASIDE = Section("console.elections", "选举", OFFICES, "组织")
CLAIMS = Section("console.claims", "绑定核实", OFFICES | {Role.AUDITOR}, "人员")
CLAIMS_DECIDE = Section("console.claims", "绑定核实", OFFICES, "人员")
DUPLICATES = Section("console.duplicates", "重复人员", OFFICES | {Role.AUDITOR}, "人员")
DUPLICATES_DECIDE = Section("console.duplicates", "重复人员", OFFICES, "人员")
STATIONS = Section("console.stations", "服务站", EVERYBODY, "组织")
#: Addresses, hours, what is offered, closing and opening.
STATIONS_CHANGE = Section("console.stations", "服务站", OFFICES, "组织")
COVERAGE = Section("console.coverage", "四级覆盖", OFFICES | {Role.AUDITOR}, "组织")
#: Townships, villages, liaison points; numbers in the clear, for a reason.
COVERAGE_CHANGE = Section("console.coverage", "四级覆盖", OFFICES, "组织")
BRANDS = Section("console.brands", "党建品牌", OFFICES | {Role.AUDITOR}, "组织")
BRANDS_CHANGE = Section("console.brands", "党建品牌", OFFICES, "组织")
#: What a station shows of itself; the offices put it there.
PICTURES = Section("console.stations", "服务站", OFFICES, "组织")
IMPORTS = Section("console.imports", "导入", OFFICES, "办理")
#: Any list, by whoever may open it; whether that is so the export asks of the list.
EXPORTS = Section("console.today", "导出", EVERYBODY)
CASES = Section("console.cases", "咨询", OFFICES | {Role.LAWYER, Role.AUDITOR}, "办理")
BROADCASTS = Section("console.broadcasts", "群发", OFFICES | {Role.AUDITOR}, "办理")
#: Writing, holding, ending: the offices. Letting something go that another wrote: the city office.
WRITING = Section("console.broadcasts", "群发", OFFICES, "办理")
DECIDING = Section("console.broadcasts", "群发", frozenset({Role.OFFICE}), "办理")
GATHERINGS = Section("console.gatherings", "活动", OFFICES | {Role.SECRETARY, Role.AUDITOR}, "办理")
FIGURES = Section("console.figures", "统计", OFFICES | {Role.AUDITOR}, "办理")
TASKS = Section("console.tasks", "任务", frozenset({Role.OFFICE, Role.AUDITOR}), "系统")
AUDIT = Section("console.audit", "审计", frozenset({Role.OFFICE, Role.AUDITOR}), "系统")
ACCOUNTS = Section("console.accounts", "账号", frozenset({Role.OFFICE, Role.AUDITOR}), "系统")
#: Making, resetting and closing accounts stands in no menu of its own.
ACCOUNTS_CHANGE = Section("console.accounts", "账号", frozenset({Role.OFFICE}), "系统")
TEMPLATES = Section("console.templates", "模板", frozenset({Role.OFFICE, Role.AUDITOR}), "系统")
RULES = Section("console.rules", "设置", frozenset({Role.OFFICE, Role.AUDITOR}), "系统")
#: Switching a rule, with a reason.
RULES_CHANGE = Section("console.rules", "设置", frozenset({Role.OFFICE}), "系统")
#: One's own account; reached by one's name, not by the menu, and by somebody without a post as well.
MINE = Section("console.mine", "", frozenset())

SECTIONS = (
    TODAY, SEARCH, BROADCASTS, CASES, GATHERINGS, FIGURES, IMPORTS, BRANCHES, TREE, STATIONS, COVERAGE, BRANDS,
    ELECTIONS, PEOPLE, TERMS, CLAIMS, DUPLICATES, ACCOUNTS, AUDIT, TASKS, TEMPLATES, RULES,
)  # fmt: skip


def may_enter(roles: frozenset[Role], endpoint: str) -> bool:
    """Whether somebody finds the section that begins with this page."""
    return any(section.endpoint == endpoint and section.roles & roles for section in SECTIONS)


def menu(roles: frozenset[Role]) -> list[tuple[str, list[Section]]]:
    """What somebody sees, group by group."""
    groups: dict[str, list[Section]] = {}
    for section in SECTIONS:
        if section.roles & roles:
            groups.setdefault(section.group, []).append(section)
    return list(groups.items())
