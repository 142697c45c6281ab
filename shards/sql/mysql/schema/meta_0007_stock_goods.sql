-- Stock is of awards and of skus: good_kind 0 is an award, 1 a sku, good_id its number. What was there before is of
-- awards. As in the shards (shard_0009_stock_goods.sql) the number loses its old name, so that a gateway of the version
-- before takes no sku for an award. Each table in one change, which is made whole or not at all.
--
-- An item may begin without units, and only so: nobody adds or withdraws 0. The check of the units had no name. MySQL
-- gave it one; in MariaDB it is a part of the column.
SET @unchecked = IF(
    (SELECT COUNT(*) FROM information_schema.table_constraints
     WHERE constraint_schema = DATABASE() AND table_name = 'stock_operation'
       AND constraint_name = 'stock_operation_chk_2') = 0,
    'MODIFY COLUMN units BIGINT NOT NULL',
    'DROP CHECK stock_operation_chk_2');
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'stock_operation' AND column_name = 'good_kind') = 0,
    CONCAT('ALTER TABLE stock_operation
         CHANGE COLUMN award_id good_id BIGINT NOT NULL,
         ADD COLUMN good_kind TINYINT NOT NULL DEFAULT 0 AFTER activity_id,
         DROP KEY stock_operation_prize,
         ADD KEY stock_operation_item (activity_id, good_kind, good_id),
         ', @unchecked, ',
         ADD CONSTRAINT stock_operation_units CHECK (units > 0 OR (units = 0 AND kind = ''publish''))'),
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing;
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'stock_picture' AND column_name = 'good_kind') = 0,
    'ALTER TABLE stock_picture
         CHANGE COLUMN award_id good_id BIGINT NOT NULL,
         ADD COLUMN good_kind TINYINT NOT NULL DEFAULT 0 AFTER activity_id,
         DROP PRIMARY KEY,
         ADD PRIMARY KEY (activity_id, good_kind, good_id)',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing;
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'stock_segment' AND column_name = 'good_kind') = 0,
    'ALTER TABLE stock_segment
         CHANGE COLUMN award_id good_id BIGINT NOT NULL,
         ADD COLUMN good_kind TINYINT NOT NULL DEFAULT 0 AFTER activity_id,
         DROP PRIMARY KEY,
         ADD PRIMARY KEY (activity_id, good_kind, good_id, segment)',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing
