-- The latest batch of the shard's lane: it shows whether a failed commit was made.
CREATE TABLE stock_grant (
    grant_id INTEGER NOT NULL PRIMARY KEY,
    void     INTEGER NOT NULL
) STRICT;

-- How many units of each prize this shard has issued. SQLite has one writer, so a counter
-- costs no waiting.
CREATE TABLE award_issued (
    activity_id INTEGER NOT NULL,
    award_id    INTEGER NOT NULL,
    issued      INTEGER NOT NULL,
    PRIMARY KEY (activity_id, award_id)
) STRICT, WITHOUT ROWID;
