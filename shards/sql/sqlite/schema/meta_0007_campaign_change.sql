-- What operators did to activities beside publishing. For a rollback: the version that it made, and the one that it
-- brought back; else 0.
CREATE TABLE campaign_change (
    change_id   INTEGER NOT NULL PRIMARY KEY,
    activity_id INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    of_version  INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    why         TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL
) STRICT;
CREATE INDEX campaign_change_activity ON campaign_change (activity_id, change_id);
