-- Who changed what, and why. (Switches and stock have records of their own.)
CREATE TABLE audit_trail (
    entry_id INTEGER NOT NULL PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    who      TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    why      TEXT    NOT NULL
) STRICT;
