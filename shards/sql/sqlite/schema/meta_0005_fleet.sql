-- Settings that operators made for all gateways, without switches; the value is JSON, expiry 0 is never.
CREATE TABLE fleet_setting (
    kind          TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    value_json    TEXT    NOT NULL,
    who           TEXT    NOT NULL,
    why           TEXT    NOT NULL,
    set_at_ms     INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    PRIMARY KEY (kind, target)
) STRICT, WITHOUT ROWID;
