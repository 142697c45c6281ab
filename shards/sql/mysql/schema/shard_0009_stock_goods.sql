-- Stock is of awards and of skus: good_kind 0 is an award, 1 a sku, good_id its number. What was issued before was
-- awards. The number loses its old name, so that from here on no gateway of the version before issues a unit: it would
-- count those of a sku as those of the award with the same number. All in one change, which is made whole or not at
-- all.
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'stock_issued' AND column_name = 'good_kind') = 0,
    'ALTER TABLE stock_issued
         CHANGE COLUMN award_id good_id BIGINT NOT NULL,
         ADD COLUMN good_kind TINYINT NOT NULL DEFAULT 0 AFTER activity_id,
         DROP PRIMARY KEY,
         ADD PRIMARY KEY (server, activity_id, good_kind, good_id, segment, run, lane)',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing
