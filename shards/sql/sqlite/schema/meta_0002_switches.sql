-- How degrade switches are set; activity 0 stands for all, expiry 0 for never.
CREATE TABLE switch_setting (
    name          TEXT    NOT NULL,
    activity_id   INTEGER NOT NULL,
    share         TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (name, activity_id)
) STRICT, WITHOUT ROWID;

-- All changes: who, why, before and after.
CREATE TABLE switch_change (
    change_id     INTEGER NOT NULL PRIMARY KEY,
    at_ms         INTEGER NOT NULL,
    who           TEXT    NOT NULL,
    why           TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    activity_id   INTEGER NOT NULL,
    before_share  TEXT    NOT NULL,
    after_share   TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT;
