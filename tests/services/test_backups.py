"""A backup is whole or it is none, and one database's backup is another's (F142)."""

import warnings
import zipfile
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

import schema
from errors import RuleBroken
from models import Base, Database, Outgoing, Person, SendState, Vault
from services import switches
from services.custody import backups, keys
from tests import servers
from tests.conftest import SECRET

AT = datetime(2026, 11, 27, 1, 0, tzinfo=UTC)
CHANGED = {"leases", "credentials", "switches"}


def contents(database):
    with database.reading() as session:
        return {
            table.name: sorted(map(str, map(tuple, session.execute(sa.select(table)))))
            for table in Base.metadata.sorted_tables
            if table.name not in CHANGED
        }


def backed_up(database, path):
    return backups.write(database, path, schema.head(), AT)


def restored(url, path):
    database = Database(url, Vault(SECRET))
    manifest = backups.check(path)
    schema.upgrade(database, manifest.revision)
    with database.engine.begin() as connection:
        backups.load(connection, path, manifest)
        backups.stand_still(connection, manifest, AT)
    return database


def test_everything_comes_back_encrypted_columns_too(database, tmp_path):
    file = tmp_path / "backup.zip"
    backed_up(database, file)
    copy = restored(f"sqlite:///{tmp_path / 'copy.db'}", file)
    assert contents(copy) == contents(database)
    with copy.reading() as session:
        assert switches.no_send(session).note == "由 2026-11-27 09:00 的备份恢复"
    copy.close()


def test_words_are_not_readable_in_the_file(database, tmp_path):
    from services import audit

    with database.transaction() as session:
        audit.note(session, AT, None, "test", "x", "一句只有这里有的话")
    file = tmp_path / "backup.zip"
    backed_up(database, file)
    with zipfile.ZipFile(file) as archive:
        assert not any("一句只有这里有的话".encode() in archive.read(name) for name in archive.namelist())


def test_a_backup_holds_one_instant_although_somebody_writes_meanwhile(database, tmp_path, monkeypatch):
    """Half way through, a row appears: the backup is of before."""
    with database.reading() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(Base.metadata.tables["audit"]))
    others = Database(str(database.url), Vault(SECRET))
    written = []
    real = backups._plain

    def interrupted(name, kinds):
        if name == "counties" or (written == [] and name == "branches"):
            from services import audit

            with others.transaction() as session:
                audit.note(session, AT, None, "test", "meanwhile")
            written.append(name)
        return real(name, kinds)

    monkeypatch.setattr(backups, "_plain", interrupted)
    order = [table.name for table in Base.metadata.sorted_tables]
    monkeypatch.setattr(
        type(Base.metadata),
        "sorted_tables",
        property(lambda self: sorted(self.tables.values(), key=lambda t: (t.name == "audit", order.index(t.name)))),
    )
    manifest = backed_up(database, tmp_path / "backup.zip")
    others.close()
    assert written
    assert manifest.tables["audit"]["rows"] == before


def altered(path, name, change):
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    files[name] = change(files[name])
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("branches.jsonl", lambda old: old.replace("支部".encode(), "支步".encode(), 1), "branches 与清单不符"),
        ("branches.jsonl", lambda old: old[: old.rindex(b"\n", 0, -1) + 1], "branches 与清单不符"),
        ("branches.jsonl", lambda old: old[:-5], "不是完整的备份"),
        ("manifest.json", lambda old: old.replace(b'"format": 1', b'"format": 9'), "格式是 9"),
        ("manifest.json", lambda old: b"{}", "不是完整的备份"),
    ],
)
def test_a_changed_file_is_refused(database, tmp_path, name, change, says):
    file = tmp_path / "backup.zip"
    backed_up(database, file)
    altered(file, name, change)
    with pytest.raises(RuleBroken, match=says):
        backups.check(file)


def test_what_is_no_backup_is_not_overwritten(database, tmp_path):
    precious = tmp_path / "thesis.docx"
    precious.write_text("words")
    with pytest.raises(RuleBroken, match="不是备份文件"):
        backed_up(database, precious)
    assert precious.read_text() == "words"


def test_a_backup_that_fails_leaves_the_old_one(database, tmp_path, monkeypatch):
    file = tmp_path / "backup.zip"
    backed_up(database, file)
    old = file.read_bytes()

    def broken(path):
        raise RuleBroken("坏了")

    monkeypatch.setattr(backups, "check", broken)
    with pytest.raises(RuleBroken):
        backed_up(database, file)
    assert file.read_bytes() == old
    assert list(tmp_path.glob(".backup*")) == []


def test_what_was_being_sent_is_unknown_in_the_copy(database, tmp_path):
    from models import NoticeKind
    from services.sending import outbox

    with database.transaction() as session:
        outbox.tell(session, NoticeKind.ALARM, "x", {"text": "x"}, [1], AT)
        session.execute(sa.update(Outgoing).values(state=SendState.CLAIMED, settled_at=None))
    file = tmp_path / "backup.zip"
    backed_up(database, file)
    copy = restored(f"sqlite:///{tmp_path / 'copy.db'}", file)
    with copy.reading() as session:
        assert set(session.scalars(sa.select(Outgoing.state))) == {SendState.UNKNOWN}
    copy.close()


def test_the_fingerprint_tells_keys_apart(database):
    assert backups.fingerprint(database.vault) == backups.fingerprint(Vault(SECRET))
    assert backups.fingerprint(database.vault) != backups.fingerprint(Vault(SECRET + "!"))


def test_a_rotated_backup_is_read_in_another_house_with_its_secret_or_as_a_former_one(database, tmp_path):
    """The keys travel with the backup, wrapped: the secret of its day opens it, also beside a new one."""
    with database.transaction() as session:
        keys.rotate(session, database.vault, AT)
    database.vault.forget()
    for _done in keys.reseal(database):
        pass
    file = tmp_path / "backup.zip"
    manifest = backed_up(database, file)
    assert manifest.fits(Vault("a new secret, which is forty letters long", SECRET))
    assert not manifest.fits(Vault("a new secret, which is forty letters long"))
    copy = restored(f"sqlite:///{tmp_path / 'copy.db'}", file)
    copy.vault.forget()
    with copy.reading() as session:
        assert session.scalar(sa.select(Person.phone).where(Person.phone.is_not(None)).limit(1))
        assert len(keys.every(session)) == 3
    copy.close()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_backup_of_sqlite_goes_into_a_server_and_back(database, tmp_path, kind):
    """Three kinds of database, one file: into the server, changed there, backed up there, back into SQLite."""
    try:
        with getattr(servers, kind)(durable=False) as url:
            _round_trip(database, tmp_path, servers.fresh_database(url))
    except servers.Missing as missing:
        warnings.warn(str(missing), stacklevel=2)
        pytest.skip(str(missing))


def _round_trip(database, tmp_path, url):
    from services import audit

    file = tmp_path / "backup.zip"
    backed_up(database, file)
    there = restored(url, file)
    try:
        assert contents(there) == contents(database)
        with there.transaction() as session:
            # New rows go on counting behind the restored ones.
            audit.note(session, AT, None, "test", "x", "之后")
        again = tmp_path / "again.zip"
        backed_up(there, again)
        back = restored(f"sqlite:///{tmp_path / 'back.db'}", again)
        assert contents(back) == contents(there)
        back.close()
    finally:
        there.close()
