-- Runs once for each table number of a shard; {table} is that number.
CREATE TABLE raffle_account_{table} (
    user_id     TEXT    NOT NULL,
    activity_id INTEGER NOT NULL,
    granted     INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    day         INTEGER NOT NULL,
    day_used    INTEGER NOT NULL,
    month_used  INTEGER NOT NULL,
    PRIMARY KEY (user_id, activity_id)
) STRICT, WITHOUT ROWID;

-- Order ids of one run ascend, so rows are appended.
CREATE TABLE raffle_order_{table} (
    order_id      INTEGER NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL,
    request_id    TEXT    NOT NULL,
    activity_id   INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    ordinal       INTEGER NOT NULL,
    day           INTEGER NOT NULL,
    award_id      INTEGER NOT NULL,
    award_title   TEXT    NOT NULL,
    award_index   INTEGER NOT NULL,
    rule          TEXT    NOT NULL,
    stocked       INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

-- One request id, one order, in all activities.
CREATE UNIQUE INDEX raffle_order_request_{table} ON raffle_order_{table} (user_id, request_id);
