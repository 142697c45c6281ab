-- A user's request ids, of all kinds of calls. A call for draws has the id of its first order: the others
-- follow, 1,024 apart, without a gap.
CREATE TABLE raffle_call_{table} (
    user_id       TEXT    NOT NULL,
    request_id    TEXT    NOT NULL,
    kind          INTEGER NOT NULL,
    activity_id   INTEGER NOT NULL,
    asked         INTEGER NOT NULL,
    first_id      INTEGER NOT NULL,
    made          INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, request_id)
) STRICT, WITHOUT ROWID;

-- Chances that operators gave to users. Ids of one run ascend, so rows are appended.
CREATE TABLE recharge_order_{table} (
    order_id      INTEGER NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL,
    request_id    TEXT    NOT NULL,
    activity_id   INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    chances       INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
