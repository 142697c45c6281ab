-- Accounts whose day label was ahead of the clock and was set back. Of the orders up to number `used`,
-- those labelled later than `today` do not count for the label any more.
CREATE TABLE label_repair_{table} (
    user_id     TEXT    NOT NULL,
    activity_id INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    today       INTEGER NOT NULL,
    day_before  INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (user_id, activity_id, used)
) STRICT, WITHOUT ROWID;
