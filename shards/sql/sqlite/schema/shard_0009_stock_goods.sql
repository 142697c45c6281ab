-- Stock is of awards and of skus: good_kind 0 is an award, 1 a sku, good_id its number. What was issued before was
-- awards.
CREATE TABLE stock_issued (
    activity_id INTEGER NOT NULL,
    good_kind   INTEGER NOT NULL,
    good_id     INTEGER NOT NULL,
    issued      INTEGER NOT NULL,
    PRIMARY KEY (activity_id, good_kind, good_id)
) STRICT, WITHOUT ROWID;
INSERT INTO stock_issued (activity_id, good_kind, good_id, issued)
SELECT activity_id, 0, award_id, issued FROM award_issued;
DROP TABLE award_issued;
