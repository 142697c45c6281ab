-- A user's points: one account over all activities, in hundredths. `entries` is the number of the ledger's last
-- entry.
CREATE TABLE points_account_{table} (
    user_id TEXT    NOT NULL PRIMARY KEY,
    balance INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    frozen  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger. A user's entries are numbered from 1 without a gap; `balance` is what was there after the entry.
CREATE TABLE points_entry_{table} (
    user_id       TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    trade         TEXT    NOT NULL,
    activity_id   INTEGER NOT NULL,
    amount        INTEGER NOT NULL,
    balance       INTEGER NOT NULL,
    business_no   TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, number)
) STRICT, WITHOUT ROWID;

-- The last day on which a user signed in, in the activity's time zone, and how many days in a row.
CREATE TABLE sign_in_{table} (
    user_id     TEXT    NOT NULL,
    activity_id INTEGER NOT NULL,
    day         INTEGER NOT NULL,
    streak      INTEGER NOT NULL,
    PRIMARY KEY (user_id, activity_id)
) STRICT, WITHOUT ROWID;

-- What an order promises; 0 in orders from before.
ALTER TABLE raffle_order_{table} ADD COLUMN promise INTEGER NOT NULL DEFAULT 0;
ALTER TABLE raffle_order_{table} ADD COLUMN points INTEGER NOT NULL DEFAULT 0;
ALTER TABLE raffle_order_{table} ADD COLUMN award_config TEXT NOT NULL DEFAULT '';

ALTER TABLE recharge_order_{table} ADD COLUMN points INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recharge_order_{table} ADD COLUMN sku INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recharge_order_{table} ADD COLUMN behaviour TEXT NOT NULL DEFAULT '';
ALTER TABLE recharge_order_{table} ADD COLUMN business_no TEXT NOT NULL DEFAULT '';
ALTER TABLE recharge_order_{table} ADD COLUMN streak INTEGER NOT NULL DEFAULT 0
