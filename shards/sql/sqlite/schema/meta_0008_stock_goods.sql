-- Stock is of awards and of skus: good_kind 0 is an award, 1 a sku, good_id its number. What was there before is of
-- awards.
--
-- The tables are made again: their checks and keys cannot be changed. An item may begin without units, and only so:
-- nobody adds or withdraws 0.
CREATE TABLE stock_operation_of_goods (
    operation_id INTEGER NOT NULL PRIMARY KEY,
    activity_id  INTEGER NOT NULL,
    good_kind    INTEGER NOT NULL,
    good_id      INTEGER NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('publish', 'add', 'withdraw')),
    units        INTEGER NOT NULL CHECK (units > 0 OR (units = 0 AND kind = 'publish')),
    applied      INTEGER,
    who          TEXT    NOT NULL,
    why          TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL
) STRICT;
INSERT INTO stock_operation_of_goods (operation_id, activity_id, good_kind, good_id, kind, units, applied, who, why,
                                      at_ms)
SELECT operation_id, activity_id, 0, award_id, kind, units, applied, who, why, at_ms FROM stock_operation;
DROP TABLE stock_operation;
ALTER TABLE stock_operation_of_goods RENAME TO stock_operation;
CREATE INDEX stock_operation_item ON stock_operation (activity_id, good_kind, good_id);

CREATE TABLE stock_picture_of_goods (
    activity_id INTEGER NOT NULL,
    good_kind   INTEGER NOT NULL,
    good_id     INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    units_left  INTEGER NOT NULL,
    open_units  INTEGER NOT NULL,
    issued      INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (activity_id, good_kind, good_id)
) STRICT, WITHOUT ROWID;
INSERT INTO stock_picture_of_goods (activity_id, good_kind, good_id, total, units_left, open_units, issued, at_ms)
SELECT activity_id, 0, award_id, total, units_left, open_units, issued, at_ms FROM stock_picture;
DROP TABLE stock_picture;
ALTER TABLE stock_picture_of_goods RENAME TO stock_picture;
