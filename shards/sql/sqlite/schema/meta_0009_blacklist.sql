-- Blacklists that operators keep beside the campaign files: of each the users, in pages, and who changed it last.
CREATE TABLE blacklist (
    activity_id  INTEGER NOT NULL PRIMARY KEY,
    changes      INTEGER NOT NULL,
    last_removal INTEGER NOT NULL,
    pages        INTEGER NOT NULL,
    page_users   INTEGER NOT NULL,
    users        INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    who          TEXT    NOT NULL,
    why          TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL
) STRICT;
CREATE TABLE blacklist_user (
    activity_id INTEGER NOT NULL,
    user_id     TEXT    NOT NULL,
    page        INTEGER NOT NULL,
    PRIMARY KEY (activity_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX blacklist_user_page ON blacklist_user (activity_id, page);
