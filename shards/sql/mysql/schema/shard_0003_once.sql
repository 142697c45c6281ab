-- Issued units are counted by each lane for itself; a grant has one row for all servers, and only for as long
-- as it may be open on one of them. After it was cut off, this runs again from its beginning.

-- Here a batch that took units meets a process that takes it for dead: the first of the two inserts the
-- grant. units: [[server, epoch, [[activity, award, segment, count], ...]], ...]
CREATE TABLE IF NOT EXISTS stock_receipt (
    grant_id   BIGINT NOT NULL PRIMARY KEY,
    void       TINYINT NOT NULL,
    units      MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Units that batches have issued, by lane. A lane of a run writes only its own rows, so that no lane waits
-- for another. Run 0, lane 0 has the units of lanes that have ended.
CREATE TABLE IF NOT EXISTS stock_issued (
    server      TINYINT UNSIGNED NOT NULL,
    activity_id BIGINT NOT NULL,
    award_id    BIGINT NOT NULL,
    segment     SMALLINT UNSIGNED NOT NULL,
    run         BIGINT NOT NULL,
    lane        SMALLINT UNSIGNED NOT NULL,
    issued      BIGINT NOT NULL,
    touched_at  DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (server, activity_id, award_id, segment, run, lane)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- First of all: from here on a running gateway of the version before can commit nothing, so the counts below
-- are complete. Waits for the running batches.
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'stock_grant') = 1,
    'RENAME TABLE stock_grant TO stock_grant_before',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing;
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'award_issued') = 1,
    'RENAME TABLE award_issued TO award_issued_before',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing;

-- Empty when they were moved and dropped already.
CREATE TABLE IF NOT EXISTS stock_grant_before (
    server     TINYINT UNSIGNED NOT NULL,
    grant_id   BIGINT NOT NULL,
    void       TINYINT NOT NULL,
    epoch      BIGINT NOT NULL,
    units      MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (server, grant_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS award_issued_before (
    activity_id BIGINT NOT NULL,
    award_id    BIGINT NOT NULL,
    server      TINYINT UNSIGNED NOT NULL,
    segment     SMALLINT UNSIGNED NOT NULL,
    issued      BIGINT NOT NULL,
    PRIMARY KEY (activity_id, award_id, server, segment)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Moved whole or not at all. A grant has committed when one of its rows shows it. The rows of server 0 were
-- those of the grants themselves, and only void ones still have a meaning.
SET SESSION group_concat_max_len = 16777216;
START TRANSACTION;
INSERT INTO stock_issued (server, activity_id, award_id, segment, run, lane, issued)
SELECT i.server, i.activity_id, i.award_id, i.segment, 0, 0, SUM(i.issued)
FROM (
    SELECT server, activity_id, award_id, segment, issued FROM award_issued_before
    UNION ALL
    SELECT g.server, u.activity_id, u.award_id, u.segment, u.issued
    FROM stock_grant_before AS g
    STRAIGHT_JOIN JSON_TABLE(g.units, '$[*]' COLUMNS (
        activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        segment     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
        issued      BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
    )) AS u
    WHERE g.server > 0 AND g.void = 0
) AS i
GROUP BY i.server, i.activity_id, i.award_id, i.segment;
INSERT INTO stock_receipt (grant_id, void, units, created_at)
SELECT grant_id, MIN(void),
       CONCAT('[', COALESCE(GROUP_CONCAT(IF(void = 0, CONCAT('[', server, ',', epoch, ',', units, ']'), NULL)
                                         ORDER BY server SEPARATOR ','), ''), ']'),
       MIN(created_at)
FROM stock_grant_before
WHERE server > 0 OR void = 1
GROUP BY grant_id;
DELETE FROM award_issued_before;
DELETE FROM stock_grant_before WHERE server > 0 OR void = 1;
COMMIT;

DROP TABLE stock_grant_before, award_issued_before
