"""Tables, constraints, and questions a row can answer alone."""

from models.accounts import Account, AccountSession, BackupCode
from models.audit import AuditEntry, AuditSeal
from models.base import Base, Database, Labelled, among, dialect_of, insert_all, insert_new
from models.broadcasts import AudienceKind, Broadcast, BroadcastState
from models.clockwork import Credential, Due, DueState, Lease
from models.consultations import (
    CaseNumber,
    CaseState,
    CaseStep,
    Consultation,
    Matter,
    Step,
    Urgency,
    Wish,
)
from models.gatherings import Attendance, Gathering, GatheringState, Presence, Purpose, SpecialDay, Via
from models.inbox import Answer, Conversation, InboxMessage, Outcome
from models.organisations import Branch, BranchKind, County, Station
from models.outbox import Channel, Notice, NoticeKind, Outgoing, SendState
from models.people import Affiliation, BindingClaim, ClaimState, Follower, Invite, Person, Post, Role
from models.publicity import PublicityItem, PublicityRow, Unit
from models.switches import Switch
from models.vault import Unreadable, Vault

__all__ = [
    "Account",
    "AccountSession",
    "Affiliation",
    "Answer",
    "Attendance",
    "AudienceKind",
    "AuditEntry",
    "AuditSeal",
    "BackupCode",
    "Base",
    "BindingClaim",
    "Branch",
    "BranchKind",
    "Broadcast",
    "BroadcastState",
    "CaseNumber",
    "CaseState",
    "CaseStep",
    "Channel",
    "ClaimState",
    "Consultation",
    "Conversation",
    "County",
    "Credential",
    "Database",
    "Due",
    "DueState",
    "Follower",
    "Gathering",
    "GatheringState",
    "InboxMessage",
    "Invite",
    "Labelled",
    "Lease",
    "Matter",
    "Notice",
    "NoticeKind",
    "Outcome",
    "Outgoing",
    "Person",
    "Post",
    "Presence",
    "PublicityItem",
    "PublicityRow",
    "Purpose",
    "Role",
    "SendState",
    "SpecialDay",
    "Station",
    "Step",
    "Switch",
    "Unit",
    "Unreadable",
    "Urgency",
    "Vault",
    "Via",
    "Wish",
    "among",
    "dialect_of",
    "insert_all",
    "insert_new",
]  # fmt: skip
