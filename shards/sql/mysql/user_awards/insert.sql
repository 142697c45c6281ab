INSERT INTO user_award_{table} (user_id, activity_id, award_id, given)
VALUES {rows}
