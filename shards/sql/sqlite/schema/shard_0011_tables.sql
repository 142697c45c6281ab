-- How many of an award a user was given, where the award has a limit for one user. Prizes that were given before it
-- had one are not counted.
CREATE TABLE user_award_{table} (
    user_id     TEXT    NOT NULL,
    activity_id INTEGER NOT NULL,
    award_id    INTEGER NOT NULL,
    given       INTEGER NOT NULL,
    PRIMARY KEY (user_id, activity_id, award_id)
) STRICT, WITHOUT ROWID
