-- [[operation, server, epoch, units, done], ...]
INSERT INTO stock_delivery (operation_id, server, epoch, units, done)
SELECT j.operation_id, j.server, j.epoch, j.units, j.done
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    operation_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    server       INT    PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    epoch        BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    units        BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    done         INT    PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
