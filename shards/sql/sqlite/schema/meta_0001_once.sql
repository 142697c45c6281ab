-- How users are spread; fixed at the first start.
CREATE TABLE slot_map (
    version INTEGER NOT NULL PRIMARY KEY,
    shards  INTEGER NOT NULL,
    tables  INTEGER NOT NULL
) STRICT;

-- Run numbers: a process that claims one builds ids from it that no other process builds.
CREATE TABLE id_run (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    claimed  INTEGER NOT NULL
) STRICT;
INSERT INTO id_run VALUES (1, 0);

CREATE TABLE campaign (
    activity_id     INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    file_text       TEXT    NOT NULL,
    published_at_ms INTEGER NOT NULL,
    published_by    TEXT    NOT NULL,
    PRIMARY KEY (activity_id, version)
) STRICT, WITHOUT ROWID;

-- Raised by every change of campaigns or stock: a running server polls it.
CREATE TABLE revision (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number   INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);

-- A prize's total is the sum of the applied changes. A withdrawal waits with applied = NULL until the holder
-- of the stock has done it.
CREATE TABLE stock_operation (
    operation_id INTEGER NOT NULL PRIMARY KEY,
    activity_id  INTEGER NOT NULL,
    award_id     INTEGER NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('publish', 'add', 'withdraw')),
    units        INTEGER NOT NULL CHECK (units > 0),
    applied      INTEGER,
    who          TEXT    NOT NULL,
    why          TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL
) STRICT;
CREATE INDEX stock_operation_prize ON stock_operation (activity_id, award_id);

-- The running server's view of its stock, for people and for the audit.
CREATE TABLE stock_picture (
    activity_id INTEGER NOT NULL,
    award_id    INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    units_left  INTEGER NOT NULL,
    open_units  INTEGER NOT NULL,
    issued      INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (activity_id, award_id)
) STRICT, WITHOUT ROWID;
