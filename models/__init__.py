"""Tables, constraints, and questions a row can answer alone."""

from models.accounts import Account, AccountSession, BackupCode
from models.audit import AuditEntry, AuditSeal
from models.base import Base, Labelled
from models.broadcasts import Broadcast, BroadcastState, SavedAudience
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
from models.database import Database
from models.gatherings import Attendance, Gathering, GatheringState, Presence, Purpose, SpecialDay, Via
from models.imports import Import, ImportKind, ImportPart, ImportState
from models.inbox import Answer, Conversation, InboxMessage, Outcome
from models.many import among, dialect_of, insert_all, insert_new, put, update_each
from models.organisations import Branch, BranchKind, County, Station
from models.outbox import (
    ARRIVED_STATES,
    OPEN_STATES,
    Channel,
    Notice,
    NoticeKind,
    Outgoing,
    SendState,
    Topic,
    not_left,
)
from models.people import Affiliation, BindingClaim, ClaimState, Follower, Invite, Person, Post, Role
from models.publicity import PublicityItem, PublicityRow, Unit
from models.sending import Campaign, CampaignState, Consent, OptOut, Pace, Quota, RegisteredTemplate, TemplateKind
from models.switches import Switch
from models.vault import Unreadable, Vault

__all__ = [
    "ARRIVED_STATES",
    "OPEN_STATES",
    "Account",
    "AccountSession",
    "Affiliation",
    "Answer",
    "Attendance",
    "AuditEntry",
    "AuditSeal",
    "BackupCode",
    "Base",
    "BindingClaim",
    "Branch",
    "BranchKind",
    "Broadcast",
    "BroadcastState",
    "Campaign",
    "CampaignState",
    "CaseNumber",
    "CaseState",
    "CaseStep",
    "Channel",
    "ClaimState",
    "Consent",
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
    "Import",
    "ImportKind",
    "ImportPart",
    "ImportState",
    "InboxMessage",
    "Invite",
    "Labelled",
    "Lease",
    "Matter",
    "Notice",
    "NoticeKind",
    "OptOut",
    "Outcome",
    "Outgoing",
    "Pace",
    "Person",
    "Post",
    "Presence",
    "PublicityItem",
    "PublicityRow",
    "Purpose",
    "Quota",
    "RegisteredTemplate",
    "Role",
    "SavedAudience",
    "SendState",
    "SpecialDay",
    "Station",
    "Step",
    "Switch",
    "TemplateKind",
    "Topic",
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
    "not_left",
    "put",
    "update_each",
]  # fmt: skip
